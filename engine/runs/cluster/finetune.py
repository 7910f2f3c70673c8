"""Fine-tuning: the head and the encoder trained together. Clusters that are centres of embeddings are taken as they are."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of, load_autoencoder, views_of
from ...steps.checkpoints import checkpoint_slot, device_of, read_record, save_model
from .documents import (
    FINE_TUNED,
    HEAD,
    KEPT_BEFORE,
    KEPT_CENTRES,
    KEPT_FINE_TUNED,
    KEPT_FROZEN,
    FineTunedRecord,
    Guards,
    HeadRecord,
    Quality,
)
from .number import embeddings_of
from .settings import ClusterSettings

if TYPE_CHECKING:
    from ....models.networks.clusterer import Clusterer
    from ....models.replica import Replica
    from ....models.training.finetune import FineTuneOutcome


def fine_tune(job: Job[ClusterSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train encoder and head end to end, with the reconstruction loss; clusters that collapse are not kept."""
    import torch

    from ....models.networks.encoders import is_frozen
    from ....models.training.clustering import CLASSICAL, TWO_VIEWS
    from ....models.training.finetune import FineTune, quality_of_embeddings
    from ...compute.fit import fit

    outcome = Outcome()
    settings, objective = job.settings, read_record(job, HEAD, HeadRecord).objective
    with outcome.clock("read"):
        embeddings = torch.from_numpy(embeddings_of(job))
    with outcome.clock("compute"):
        torch.set_num_threads(settings.threads)  # the record holds figures whose last digits depend on the threads
        clusterer = _clusterer(job).to(device_of(job))
        before = quality_of_embeddings(clusterer, embeddings) if replica.rank == 0 else None  # the first rank evaluates
        if objective not in TWO_VIEWS or is_frozen(clusterer.autoencoder):
            kept = KEPT_CENTRES if objective in CLASSICAL else KEPT_FROZEN
            return _saved(job, outcome, clusterer, kept, before, before) if before else outcome
        patches = all_patches(job)
        steps = budget_of(job, len(patches)).fine_tune
        phase = FineTune(clusterer, patches, steps, objective, settings.seed, views_of(job), replica)  # type: ignore[arg-type]
        slot, progress_file = checkpoint_slot(job, unit.step), ProgressFile(job.folder.out)
        history = fit(phase, slot, threads=settings.threads, progress_file=progress_file, replica=replica)
        if before is None:
            return outcome
        after, kept = phase.outcome(), KEPT_FINE_TUNED
        if after.collapsed and not before.collapsed:  # sound clusters are better than collapsed ones
            clusterer, after, kept = _clusterer(job), before, KEPT_BEFORE
    _saved(job, outcome, clusterer, kept, before, after, history)
    slot.path.unlink(missing_ok=True)
    return outcome


def _clusterer(job: Job[ClusterSettings]) -> Clusterer:
    """The encoder and the chosen head, as one network."""
    from ....models.networks.clusterer import Clusterer, head_of
    from ....models.training import checkpoint

    path = job.folder.model(HEAD)
    tensors, recipe = checkpoint.load_checkpoint(path)
    head = head_of(recipe)
    checkpoint.load_weights(head, tensors, path)
    return Clusterer(load_autoencoder(job), head)


def _saved(
    job: Job[ClusterSettings],
    outcome: Outcome,
    clusterer: Clusterer,
    kept: str,
    before: FineTuneOutcome,
    after: FineTuneOutcome,
    history: Any = (),
) -> Outcome:
    with outcome.clock("write"):
        guards = Guards(kept=kept, before=Quality(**asdict(before)), after=Quality(**asdict(after)))
        outcome.files += save_model(
            job, FINE_TUNED, clusterer, partial(FineTunedRecord, history=history, guards=guards)
        )
    clusters = clusterer.head.clusters
    outcome.facts.update(k=clusters, collapsed=after.collapsed, effective=round(after.effective, 3), kept=kept)
    return outcome

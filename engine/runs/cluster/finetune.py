"""Fine-tuning: the chosen head and the encoder trained together."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of, load_autoencoder, views_of
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from .documents import CLUSTERER, FINE_TUNED, ClustererRecord, Guards, Quality
from .settings import ClusterSettings

if TYPE_CHECKING:
    from ....models.replica import Replica

    pass


def fine_tune(job: Job[ClusterSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train encoder and chosen head end to end, with the reconstruction loss; clusters that collapse are not kept."""
    import torch

    from ....models.networks.cluster_heads import ClusterHead
    from ....models.networks.clusterer import Clusterer
    from ....models.training import checkpoint
    from ....models.training.finetune import FineTune
    from ...compute.fit import fit

    outcome = Outcome()
    settings = job.settings
    with outcome.clock("read"):
        patches = all_patches(job)
        tensors, recipe = checkpoint.load_checkpoint(job.folder.model("head"))
        head = ClusterHead(**recipe)
        checkpoint.load_weights(head, tensors, job.folder.model("head"))
    with outcome.clock("compute"):
        clusterer = Clusterer(load_autoencoder(job), head).to(device_of(job))
        steps = budget_of(job, len(patches)).fine_tune
        phase = FineTune(clusterer, patches, steps, settings.objective, settings.seed, views_of(job), replica)
        slot, progress_file = checkpoint_slot(job, unit.step), ProgressFile(job.folder.out)
        # the record holds figures whose last digits depend on the threads
        torch.set_num_threads(settings.threads)
        if replica.rank > 0:  # only the first rank evaluates the guards
            fit(phase, slot, threads=settings.threads, progress_file=progress_file, replica=replica)
            return outcome
        initial_quality = phase.outcome()
        history = fit(phase, slot, threads=settings.threads, progress_file=progress_file, replica=replica)
        final_quality = phase.outcome()
        choice = FINE_TUNED
        if final_quality.collapsed and not initial_quality.collapsed:  # sound clusters are better than collapsed ones
            choice = "as before fine-tuning, which collapsed"
            checkpoint.load_weights(head, tensors)
            clusterer, final_quality = Clusterer(load_autoencoder(job), head), initial_quality
    with outcome.clock("write"):
        guards = Guards(kept=choice, before=Quality(**asdict(initial_quality)), after=Quality(**asdict(final_quality)))
        outcome.files += save_model(job, CLUSTERER, clusterer, partial(ClustererRecord, history=history, guards=guards))
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(
        k=head.clusters, collapsed=final_quality.collapsed, effective=round(final_quality.effective, 3), kept=choice
    )
    return outcome

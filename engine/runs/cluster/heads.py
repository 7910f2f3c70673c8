"""heads: embeddings of a few views of every patch, and the head that finds the clusters in them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from ....stores.array import ArraySpec, StoredArray, written
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of, load_autoencoder, views_of
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from ...steps.sample.patches import PER_SHARD
from .documents import HEAD, VALIDITY, HeadRecord, HeadRow, Validity
from .settings import ClusterSettings, Objective

if TYPE_CHECKING:
    from ....models.training.clustering import ObjectiveName

CODES_BATCH = 64


def embed_views(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Embed every patch by the frozen encoder, and a few views of it where the objective learns from them."""
    import torch

    from ....models.training.encoding import encode_views

    outcome = Outcome()
    with outcome.clock("read"):
        patches = all_patches(job)
        network = load_autoencoder(job).to(device_of(job))
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        views = budget_of(job, len(patches)).views if job.settings.several_views else 1
        codes_VNF = encode_views(network, patches, views, job.settings.seed, CODES_BATCH, views_of(job)).numpy()
    with outcome.clock("write"):
        spec = codes_spec(codes_VNF.shape)
        array = StoredArray.create(job.folder.samples / "codes", spec)
        outcome.files += [array.write(box, codes_VNF[box.slices]) for box in spec.shards]
        outcome.files.append(written(array.path / "zarr.json"))
    outcome.facts["views"] = views
    return outcome


def train_head(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Find the clusters by the objective, once for every seed, and keep the best head.

    Heads are small and are trained on the CPU, whatever device the network runs on.
    """
    import torch

    from ....models.evaluation.stability import mean_rand
    from ....models.training.clustering import CLASSICAL, baseline_labels, cluster_phase
    from ...compute.fit import fit

    outcome = Outcome()
    settings, validity = job.settings, read_document(job.folder, VALIDITY, Validity)
    objective = objective_of(settings.objective, validity)
    with outcome.clock("read"):
        codes_VNF = torch.from_numpy(StoredArray.open(job.folder.samples / "codes").read_all())
    seeds = [settings.seed + i for i in range(settings.seeds)]
    with outcome.clock("compute"):
        torch.set_num_threads(settings.threads)
        steps = budget_of(job, codes_VNF.shape[1]).heads
        phase = cluster_phase(objective, codes_VNF, validity.clusters, seeds, steps=steps)
        slot = checkpoint_slot(job, unit.step)
        history = fit(phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
        qualities = phase.qualities()
        best = min(qualities, key=lambda q: (q.collapsed, q.loss))
        labels = phase.labels()
        final = labels[validity.clusters, best.seed]
        baselines = {
            name: None if found is None else mean_rand([found, final])
            for name, found in baseline_labels(codes_VNF, validity.clusters, settings.seed).items()
            if name != objective
        }
    with outcome.clock("write"):
        record = partial(
            HeadRecord,
            history=() if objective in CLASSICAL else history,
            seed=best.seed,
            objective=objective,
            heads=tuple(HeadRow(**asdict(q)) for q in qualities),
            agreement=mean_rand(list(labels.values())) if len(labels) > 1 else None,
            baselines=baselines,
        )
        outcome.files += save_model(job, HEAD, phase.extract(best.seed), record)
        slot.path.unlink(missing_ok=True)
    outcome.facts["collapsed_heads"] = sum(q.collapsed for q in qualities)
    return outcome


def objective_of(setting: Objective, validity: Validity) -> ObjectiveName:
    """The objective in use: `auto` is that whose reproducibility decided K: graph where kinds are separate, else kmeans."""
    if setting != "auto":
        return setting
    return "graph" if validity.method == "separate" else "kmeans"


def codes_spec(shape: tuple[int, ...]) -> ArraySpec:
    """Array of the embeddings of views: (view, n, feature), float32."""
    shard = (shape[0], min(shape[1], 8 * PER_SHARD), shape[2])
    return ArraySpec(shape, "float32", shard, shard, ("view", "n", "feature"))

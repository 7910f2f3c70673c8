"""Clustering heads: embeddings of a few views of every patch, and one head for every K and seed trained on them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from ....stores.array import ArraySpec, StoredArray, written
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of, load_autoencoder, views_of
from ...steps.checkpoints import checkpoint_slot, device_of, save_model, write_document
from ...steps.sample.patches import PER_SHARD
from .documents import HEAD, VALIDITY, HeadRecord, HeadRow, IndexValue, Validity
from .settings import ClusterSettings

CODES_BATCH = 64


def embed_views(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Embed a few views of every patch by the frozen encoder; the heads are trained on these embeddings."""
    import torch

    from ....models.training.encoding import encode_views

    outcome = Outcome()
    with outcome.clock("read"):
        patches = all_patches(job)
        network = load_autoencoder(job).to(device_of(job))
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        views = budget_of(job, len(patches)).views
        codes_VNF = encode_views(network, patches, views, job.settings.seed, CODES_BATCH, views_of(job)).numpy()
    with outcome.clock("write"):
        spec = codes_spec(codes_VNF.shape)
        array = StoredArray.create(job.folder.samples / "codes", spec)
        outcome.files += [array.write(box, codes_VNF[box.slices]) for box in spec.shards]
        outcome.files.append(written(array.path / "zarr.json"))
    outcome.facts["views"] = views
    return outcome


def train_heads(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Train heads of every K and seed together, compute the validity table, and choose K from it.

    Heads are small and are trained on the CPU, whatever device the network runs on.
    """
    import torch

    from ....models.evaluation.validity import recommend, validity_table
    from ....models.training.sweep import HeadSweep
    from ...compute.fit import fit

    outcome = Outcome()
    settings = job.settings
    with outcome.clock("read"):
        codes_VNF = torch.from_numpy(StoredArray.open(job.folder.samples / "codes").read_all())
    low, high = settings.k
    largest_k = min(high, max(low, codes_VNF.shape[1] // 3))
    seeds = [settings.seed + i for i in range(settings.seeds)]
    with outcome.clock("compute"):
        sweep = HeadSweep(
            codes_VNF,
            range(low, largest_k + 1),
            seeds,
            settings.objective,
            budget_of(job, codes_VNF.shape[1]).heads,
            min(512, codes_VNF.shape[1]),
        )
        slot = checkpoint_slot(job, unit.step)
        history = fit(sweep, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
        qualities = sweep.qualities()
        rows = validity_table(codes_VNF[0].numpy(), sweep.labels(), seed=settings.seed)
        sound = {(q.clusters, q.seed) for q in qualities if not q.collapsed}
        usable = [r for r in rows if (r.clusters, r.seed) in sound] or rows
        choice = recommend(usable)
        winner = min(
            (q for q in qualities if q.clusters == choice.clusters),
            key=lambda q: (q.collapsed, q.loss),
        )
        head = sweep.extract(winner.seed, winner.clusters)
    with outcome.clock("write"):
        outcome.files += save_model(job, HEAD, head, partial(HeadRecord, history=history, seed=winner.seed))
        document = Validity(
            k=choice.clusters,
            seed=winner.seed,
            range=(low, largest_k),
            objective=settings.objective,
            agreement=choice.agreement if high > low else f"K was set to {choice.clusters}.",
            best=choice.best,
            mean_ranks=choice.mean_ranks,
            standard_errors=choice.standard_errors,
            indices=tuple(IndexValue(**asdict(r)) for r in rows),
            heads=tuple(HeadRow(**asdict(q)) for q in qualities),
        )
        outcome.files.append(write_document(job, VALIDITY, document))
        slot.path.unlink(missing_ok=True)
    outcome.facts["k"] = choice.clusters
    outcome.facts["collapsed_heads"] = sum(q.collapsed for q in qualities)
    return outcome


def codes_spec(shape: tuple[int, ...]) -> ArraySpec:
    """Array of the embeddings of views: (view, n, feature), float32."""
    shard = (shape[0], min(shape[1], 8 * PER_SHARD), shape[2])
    return ArraySpec(shape, "float32", shard, shard, ("view", "n", "feature"))

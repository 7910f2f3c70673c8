"""heads: embeddings of a few views of every patch, and the head that finds the clusters in them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from ....stores.array import ArraySpec, StoredArray, written
from ....stores.frame import Array
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.autoencoder import all_patches, budget_of, load_autoencoder, views_of
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from ...steps.sample.patches import PER_SHARD
from .documents import HEAD, VALIDITY, HeadRecord, HeadRow, Validity
from .number import embeddings_of
from .settings import ClusterSettings

if TYPE_CHECKING:
    from ....models.networks.centre_head import CentreHead

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


def train_head(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Find the clusters: heads of several seeds, of which the best is kept; or centres, without training.

    Heads are small and are trained on the CPU, whatever device the network runs on.
    """
    validity = read_document(job.folder, VALIDITY, Validity)
    objective = job.settings.objective
    if objective == "auto":
        objective = "graph" if validity.method == "separate" else "imsat"
    if objective in ("graph", "kmeans"):
        return _centres(job, objective, validity.clusters)
    return _networks(job, unit, objective, validity.clusters)


def _networks(job: Job[ClusterSettings], unit: Unit, objective: str, clusters: int) -> Outcome:
    import torch

    from ....models.evaluation.stability import mean_rand
    from ....models.training.sweep import HeadSweep
    from ...compute.fit import fit

    outcome = Outcome()
    settings = job.settings
    with outcome.clock("read"):
        codes_VNF = torch.from_numpy(StoredArray.open(job.folder.samples / "codes").read_all())
    count = codes_VNF.shape[1]
    seeds = [settings.seed + i for i in range(settings.seeds)]
    with outcome.clock("compute"):
        steps, batch = budget_of(job, count).heads, min(512, count)
        sweep = HeadSweep(codes_VNF, [clusters], seeds, objective, steps, batch)  # type: ignore[arg-type]
        slot = checkpoint_slot(job, unit.step)
        history = fit(sweep, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
        qualities = sweep.qualities()
        best = min(qualities, key=lambda q: (q.collapsed, q.loss))
        labels = list(sweep.labels().values())
    with outcome.clock("write"):
        record = partial(
            HeadRecord,
            history=history,
            seed=best.seed,
            objective=objective,
            heads=tuple(HeadRow(**asdict(q)) for q in qualities),
            agreement=mean_rand(labels) if len(labels) > 1 else None,
        )
        outcome.files += save_model(job, HEAD, sweep.extract(best.seed, clusters), record)
        slot.path.unlink(missing_ok=True)
    outcome.facts["collapsed_heads"] = sum(q.collapsed for q in qualities)
    return outcome


def _centres(job: Job[ClusterSettings], objective: str, clusters: int) -> Outcome:
    outcome = Outcome()
    with outcome.clock("read"):
        embeddings = embeddings_of(job)
    with outcome.clock("compute"):
        head = centre_head(embeddings, objective, clusters, job.settings.seed)
    with outcome.clock("write"):
        record = partial(HeadRecord, history=(), seed=job.settings.seed, objective=objective, heads=(), agreement=None)
        outcome.files += save_model(job, HEAD, head, record)
    return outcome


def centre_head(embeddings_NF: Array, objective: str, clusters: int, seed: int) -> CentreHead:
    """The head of k-means centres, or of fine clusters merged along the graph of neighbours, of embeddings."""
    from ....models.clustering.components import PrincipalSpace
    from ....models.clustering.partitions import partitions, squared_gaps
    from ....models.networks.centre_head import CentreHead

    space = PrincipalSpace.of(embeddings_NF)
    points = space.coordinates(embeddings_NF)
    centres = partitions(points, [clusters], "separate" if objective == "graph" else "continuous", seed)[clusters]
    head = CentreHead(embeddings_NF.shape[1], len(centres.places), clusters)
    head.fine.set_centres(space.mean, space.scale, space.standardised(centres.places), centres.parents)
    variance = squared_gaps(points, centres.places).min(1).mean() / points.shape[1]
    head.width.fill_(max(float(variance), 1e-12) ** 0.5)
    return head


def codes_spec(shape: tuple[int, ...]) -> ArraySpec:
    """Array of the embeddings of views: (view, n, feature), float32."""
    shard = (shape[0], min(shape[1], 8 * PER_SHARD), shape[2])
    return ArraySpec(shape, "float32", shard, shard, ("view", "n", "feature"))

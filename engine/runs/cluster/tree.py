"""tree: the tree of clusters, numbered from the top down by the tissue tiles of each cluster."""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.palette import hexadecimal, palette
from ...steps.apply import TILES, clusters
from ...steps.checkpoints import read_record, write_document
from .documents import CLUSTERER, CLUSTERS, VALIDITY, ClustererRecord, Clusters, Validity
from .settings import ClusterSettings


def order_clusters(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Number the clusters of every level by their tissue tiles: where a cluster splits, the larger part keeps its number."""
    from ....models.clustering.tree import Merge, numbered

    counts = {slide: counted(job, slide) for slide in job.slides}
    total: Array = np.stack([*counts.values()]).sum(0)
    merges = [Merge(*merge) for merge in read_record(job, CLUSTERER, ClustererRecord).merges]
    validity = read_document(job.folder, VALIDITY, Validity)
    numbers, parents = numbered(merges, total.tolist())
    order = np.argsort(numbers)  # number - 1 -> fine cluster
    document = Clusters(
        numbers=tuple(numbers.tolist()),
        parents=tuple(parents.tolist()),
        recommended=validity.k,
        trained=validity.clusters,
        names=tuple(f"cluster {n}" for n in range(1, len(parents) + 1)),
        colours=tuple(map(hexadecimal, palette(len(parents)))),
        tiles=tuple(total[order].tolist()),
        slides={slide: tuple(c[order].tolist()) for slide, c in counts.items()},
    )
    outcome = Outcome(files=[write_document(job, CLUSTERS, document)])
    outcome.facts["tiles"] = int(total.sum())
    outcome.facts["fine"] = len(parents)
    return outcome


def counted(job: Job[ClusterSettings], slide: str) -> Array:
    """Number of a slide's tiles per fine cluster of the network, int64 (fine cluster,), from the receipts of its units."""
    out = np.zeros(clusters(job), np.int64)
    for receipt in Ledger(job.folder.out, TILES, job.ledger_key(TILES, slide)).all(slide):
        out += np.asarray(receipt.facts["counts"], np.int64)
    return out


def clusters_document(job: Job[ClusterSettings]) -> Clusters:
    return read_document(job.folder, CLUSTERS, Clusters)

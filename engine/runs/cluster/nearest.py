"""nearest: the centres of the tree's clusters, and which of the shown clusters are nearest to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.checkpoints import read_record
from .documents import CLUSTERER, ClustererRecord, Clusters
from .settings import ClusterSettings
from .shown import ShownClusters
from .tree import clusters_document

NEAREST_LISTED = 2
"""Nearest clusters that are named for each cluster."""


@dataclass(frozen=True, slots=True)
class NearCluster:
    """A cluster near another one."""

    number: int
    name: str
    distance: float
    """Distance of the two centres in the space of the clustering: principal components of standardised embeddings."""


def nearest_clusters(job: Job[ClusterSettings], shown: ShownClusters) -> dict[int, tuple[NearCluster, ...]]:
    """Number -> the nearest of the other shown clusters, nearest first; those that were merged into others have none."""
    from ....models.clustering.nearness import nearness

    centres = np.asarray(read_record(job, CLUSTERER, ClustererRecord).centres)
    weights = np.asarray(clusters_document(job).tiles)[np.asarray(clusters_document(job).numbers) - 1]
    standing = np.unique(shown.number[1:])
    found = nearness(centres, np.searchsorted(standing, shown.number[1:]), weights, len(standing))
    names = dict(zip(shown.numbers, shown.names, strict=True))
    return {
        int(number): tuple(
            NearCluster(int(standing[i]), names[int(standing[i])], float(gap))
            for i, gap in zip(order[:NEAREST_LISTED], gaps[:NEAREST_LISTED], strict=True)
        )
        for number, order, gaps in zip(standing, found.order, found.distances, strict=True)
    }


def tree_centres(job: Job[ClusterSettings], tree: Clusters) -> tuple[tuple[float, ...], ...]:
    """Centre of each number at the finest level, in the space of the clustering."""
    centres: Array = np.asarray(read_record(job, CLUSTERER, ClustererRecord).centres)[np.argsort(tree.numbers)]
    return tuple(map(tuple, centres.round(3).tolist()))

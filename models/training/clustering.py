"""ClusterPhase: the ways to find K clusters in embeddings, behind one interface, and their table by name.

```text
imsat, iic   information between patch and cluster        scan   a patch and its neighbours share a cluster
temi         the same, taught by a slow copy of itself    kmeans, graph, leiden   classical: no network is trained
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Protocol

import numpy.typing as npt
from torch import Tensor

from ..clustering.communities import leiden_available
from ..networks.centre_head import CentreHead
from ..networks.cluster_heads import ClusterHead
from .centre_phase import CentrePhase
from .head_quality import HeadQuality
from .partitioners import KMeans, Leiden, MergedGraph, Partitioner
from .phases import Phase, train_phase
from .self_distillation import SelfDistillation
from .sweep import ClusteringObjective, HeadSweep

Array = npt.NDArray[Any]
ObjectiveName = Literal["imsat", "iic", "kmeans", "graph", "leiden", "temi", "scan"]


class ClusterPhase(Phase, Protocol):
    """A phase that finds K clusters, once for every seed."""

    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of each unchanged patch (view 0), int64 (N,)."""

    def qualities(self) -> list[HeadQuality]:
        """Quality of the head of every seed; their losses are comparable with each other only."""

    def extract(self, seed: int) -> ClusterHead | CentreHead:
        """The head of one seed, which gives the clusters of new embeddings."""


Make = Callable[[Tensor, int, Sequence[int], int, int], ClusterPhase]
"""(embeddings (V, N, F), K, seeds, steps, batch) -> the phase, not begun."""


def _sweep(
    embeddings_VNF: Tensor, clusters: int, seeds: Sequence[int], steps: int, batch: int, objective: ClusteringObjective
) -> ClusterPhase:
    return HeadSweep(embeddings_VNF, (clusters,), seeds, objective, steps, batch)


def _classical(
    embeddings_VNF: Tensor,
    clusters: int,
    seeds: Sequence[int],
    steps: int,
    batch: int,
    partitioner: Callable[[], Partitioner],
) -> ClusterPhase:
    return CentrePhase(embeddings_VNF, clusters, seeds, partitioner())


OBJECTIVES: Mapping[ObjectiveName, Make] = {
    "imsat": partial(_sweep, objective="imsat"),
    "iic": partial(_sweep, objective="iic"),
    "kmeans": partial(_classical, partitioner=KMeans),
    "graph": partial(_classical, partitioner=MergedGraph),
    "leiden": partial(_classical, partitioner=Leiden),
    "temi": SelfDistillation,
    "scan": partial(_sweep, objective="scan"),
}
"""The classical ones take one step a seed, whatever `steps` says."""
TWO_VIEWS: tuple[ObjectiveName, ...] = ("imsat", "iic", "scan")
"""Objectives with a loss of two views of a patch, by which encoder and head can be trained together; the others are defined on
a frozen encoder."""
CLASSICAL: tuple[ObjectiveName, ...] = ("kmeans", "graph", "leiden")
"""Objectives that cost next to nothing, and stand beside every other as a measure."""


def cluster_phase(
    objective: ObjectiveName,
    embeddings_VNF: Tensor,
    clusters: int,
    seeds: Sequence[int],
    *,
    steps: int,
    batch: int = 512,
) -> ClusterPhase:
    """The phase of an objective; a batch has at most as many patches as there are.

    Raises MachineError for `leiden` where igraph is not installed.

    >>> import torch
    >>> embeddings = torch.cat([torch.zeros(8, 4), torch.ones(8, 4)]).unsqueeze(0)
    >>> phase = cluster_phase("kmeans", embeddings, 2, (0,), steps=10)
    >>> train_phase(phase)
    >>> len(set(phase.labels()[2, 0][:8].tolist()))
    1
    """
    return OBJECTIVES[objective](embeddings_VNF, clusters, seeds, steps, min(batch, embeddings_VNF.shape[1]))


def baseline_labels(embeddings_VNF: Tensor, clusters: int, seed: int) -> dict[ObjectiveName, Array | None]:
    """Classical objective -> clusters of the unchanged patches, int64 (N,); None for `leiden` where igraph is not installed."""
    found: dict[ObjectiveName, Array | None] = {}
    for objective in CLASSICAL:
        if objective == "leiden" and not leiden_available():
            found[objective] = None
            continue
        phase = cluster_phase(objective, embeddings_VNF, clusters, (seed,), steps=1)
        train_phase(phase)
        found[objective] = phase.labels()[clusters, seed]
    return found

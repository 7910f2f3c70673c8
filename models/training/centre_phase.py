"""CentrePhase: a classical clustering as a phase of training: one step a seed, and a head of centres for each.

```text
k-means   one centre a cluster
Leiden    communities of patches, each with a few centres, as a community need not be round
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..clustering.communities import check_leiden, leiden
from ..clustering.partitions import k_means
from ..neighbours.knn import nearest_patches
from ..networks.centre_head import CentreHead
from .head_quality import HeadQuality, survey
from .phases import check_finite

Array = npt.NDArray[Any]
MAX_GRAPH_POINTS = 10_000
"""Leiden works on at most this many patches, spread evenly over all; centres assign the others."""
GRAPH_NEIGHBOURS = 15
"""Nearest neighbours of a patch that are its edges."""


class Partition(Protocol):
    """A clustering of standardised embeddings by centres."""

    @property
    def centres_per_cluster(self) -> int:
        """Centres that each cluster gets."""
        ...

    def __call__(self, points_NF: Array, clusters: int, seed: int) -> Array:
        """Centres (cluster, centre of the cluster, feature)."""
        ...


@dataclass(frozen=True, slots=True)
class KMeansPartition:
    """k-means: the best of three starts."""

    centres_per_cluster: int = 1

    def __call__(self, points_NF: Array, clusters: int, seed: int) -> Array:
        return np.asarray(k_means(points_NF, clusters, seed).cluster_centers_)[:, None]


@dataclass(frozen=True, slots=True)
class LeidenPartition:
    """Leiden on the graph of nearest neighbours; needs igraph."""

    centres_per_cluster: int = 8

    def __post_init__(self) -> None:
        check_leiden()

    def __call__(self, points_NF: Array, clusters: int, seed: int) -> Array:
        points_NF = points_NF[:: -(-len(points_NF) // MAX_GRAPH_POINTS)]
        labels_N = leiden(nearest_patches(torch.from_numpy(points_NF), GRAPH_NEIGHBOURS).numpy(), clusters, seed)
        return np.stack([_centres(points_NF[labels_N == k], self.centres_per_cluster, seed) for k in range(clusters)])


class CentrePhase:
    """Finds clusters by a partition of the unchanged patches (view 0); step `s` does seed number `s`.

    A head's probabilities are those of equal round Gaussians around the centres. Their variance is the mean squared distance
    to the nearest centre, over the number of directions in which the embeddings vary.
    """

    name = "clusters"

    def __init__(self, embeddings_VNF: Tensor, clusters: int, seeds: Sequence[int], partition: Partition) -> None:
        self.steps, self._embeddings_VNF = len(seeds), embeddings_VNF
        self._seeds, self._clusters, self._partition = tuple(seeds), clusters, partition
        mean_F, scale_F = embeddings_VNF[0].mean(0), embeddings_VNF[0].std(0, unbiased=False).clamp_min(1e-6)
        self._points_NF = ((embeddings_VNF[0] - mean_F) / scale_F).contiguous()
        each, size = partition.centres_per_cluster, embeddings_VNF.shape[-1]
        self._heads = torch.nn.ModuleList(CentreHead(size, each * clusters, clusters) for _ in seeds)
        for head in self._centre_heads():
            head.fine.mean_F.copy_(mean_F)
            head.fine.scale_F.copy_(scale_F)
            head.fine.parents_J.copy_(torch.arange(clusters).repeat_interleave(each))

    def step(self, index: int) -> dict[str, float]:
        """Cluster with seed number `index`; the loss is the mean squared distance to the nearest centre, per feature."""
        centres_KCF = self._partition(self._points_NF.numpy(), self._clusters, self._seeds[index])
        head = self._centre_heads()[index]
        head.fine.centres_JF.copy_(torch.from_numpy(centres_KCF.reshape(head.fine.centres_JF.shape)))
        squared = self._distance(self._embeddings_VNF[0], index)
        head.width.copy_((squared / _directions(self._points_NF)).sqrt().clamp_min(1e-6))
        loss = float(squared) / self._points_NF.shape[1]
        check_finite(self.name, index, loss)
        return {"loss": loss}

    def state(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._heads.state_dict().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._heads.load_state_dict(dict(state))

    def extract(self, seed: int) -> CentreHead:
        """The head of one seed."""
        return self._centre_heads()[self._seeds.index(seed)]

    @torch.inference_mode()
    def qualities(self) -> list[HeadQuality]:
        """Quality of the head of every seed; the loss is the mean squared distance to the nearest centre, per feature."""
        return [
            survey(self._embeddings_VNF, head, lambda _, q_BK: q_BK.new_zeros(())).quality((), self._clusters, seed)
            for seed, head in zip(self._seeds, self._centre_heads(), strict=True)
        ]

    @torch.inference_mode()
    def labels(self) -> dict[tuple[int, int], Array]:
        """(K, seed) -> cluster of each unchanged patch (view 0), int64 (N,)."""
        return {
            (self._clusters, seed): torch.cat(
                [head(part).argmax(-1) for part in torch.split(self._embeddings_VNF[0], 1024)]
            ).numpy()
            for seed, head in zip(self._seeds, self._centre_heads(), strict=True)
        }

    def _centre_heads(self) -> list[CentreHead]:
        return [head for head in self._heads if isinstance(head, CentreHead)]

    def _distance(self, embeddings_NF: Tensor, index: int) -> Tensor:
        """Mean squared distance of embeddings to the nearest centre of seed number `index`, standardised."""
        fine = self._centre_heads()[index].fine
        parts = torch.split(embeddings_NF, 1024)
        return torch.cat([fine.squared_distances(part).amin(1) for part in parts]).mean()


def _directions(points_NF: Tensor) -> Tensor:
    """Number of directions in which standardised points vary: (sum of variances)² / sum of squared covariances."""
    covariance_FF = points_NF.T @ points_NF / len(points_NF)
    return covariance_FF.diagonal().sum().square() / covariance_FF.square().sum().clamp_min(1e-12)


def _centres(points_NF: Array, count: int, seed: int) -> Array:
    """`count` centres of points; of fewer points some are repeated."""
    found = np.asarray(k_means(points_NF, min(count, len(points_NF)), seed).cluster_centers_)
    return found[np.arange(count) % len(found)]

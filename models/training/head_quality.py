"""HeadQuality: how well a trained head divides the patches, from its probabilities alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..losses.clustering import entropy
from ..networks.clusterer import collapsed, effective_clusters, smallest_share

MAX_CHUNKS = 16
"""Chunks of patches that a survey looks at, spread evenly over all."""


@dataclass(frozen=True, slots=True)
class HeadQuality:
    """Quality of the trained head of one K and seed."""

    clusters: int
    seed: int
    loss: float
    """Loss between view 0 and the last view, on up to 16 chunks of patches; lower is better, comparable within one K only."""
    effective: float
    """Effective number of clusters, exp(entropy of the mean probabilities): K at best."""
    smallest: float
    """Mean probability of the smallest cluster."""
    information: float
    """Mutual information of patch and cluster in nats: ln K at best, 0 if all patches have the same probabilities."""
    restarts: int
    collapsed: bool
    """Whether the head has collapsed after all restarts."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Loss, mean probabilities (..., K) and information of heads; the axes in front are those of the heads."""

    loss: Tensor
    mean: Tensor
    information: Tensor

    def quality(self, head: tuple[int, ...], clusters: int, seed: int, restarts: int = 0) -> HeadQuality:
        """Quality of the head at these indices, which has `clusters` clusters."""
        mean_K, information = self.mean[head][:clusters], self.information[head]
        return HeadQuality(
            clusters=clusters,
            seed=seed,
            loss=float(self.loss[head]),
            effective=float(effective_clusters(mean_K)),
            smallest=float(smallest_share(mean_K)),
            information=float(information),
            restarts=restarts,
            collapsed=bool(collapsed(mean_K, information, clusters)),
        )


def survey(
    embeddings_VNF: Tensor,
    probabilities: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    chunk: int = 1024,
) -> Survey:
    """Survey of the heads that give `probabilities` (..., B, K) of embeddings (B, F), on views 0 and the last one."""
    views, count = embeddings_VNF.shape[:2]
    chunks = torch.split(torch.arange(count), chunk)
    chunks = chunks[:: -(-len(chunks) // MAX_CHUNKS)]
    losses, means, uncertain, total = [], [], [], sum(len(part) for part in chunks)
    for part in chunks:
        p_BK, q_BK = probabilities(embeddings_VNF[0, part]), probabilities(embeddings_VNF[views - 1, part])
        share = len(part) / total
        losses.append(loss(p_BK, q_BK) * share)
        means.append(p_BK.mean(-2) * share)
        uncertain.append(entropy(p_BK).mean(-1) * share)
    mean_K = torch.stack(means).sum(0)
    return Survey(torch.stack(losses).sum(0), mean_K, entropy(mean_K) - torch.stack(uncertain).sum(0))

"""Centres of fine clusters: they divide the clusters of any head, and are a head themselves for k-means and merged graphs.

```text
p(fine cluster) = softmax(-distance² / 2 width²)      p(cluster) = sum over its fine clusters
```
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class FineClusters(nn.Module):
    """Centres of standardised embeddings, each of which belongs to a cluster."""

    mean_F: Tensor  # noqa: N815
    scale_F: Tensor  # noqa: N815
    centres_JF: Tensor  # noqa: N815
    parents_J: Tensor  # noqa: N815

    def __init__(self, embedding_size: int, centres: int) -> None:
        super().__init__()
        self.embedding_size, self.centres = embedding_size, centres
        self.register_buffer("mean_F", torch.zeros(embedding_size))
        self.register_buffer("scale_F", torch.ones(embedding_size))
        self.register_buffer("centres_JF", torch.zeros(centres, embedding_size))
        self.register_buffer("parents_J", torch.zeros(centres, dtype=torch.int64))

    @torch.no_grad()
    def set_centres(self, mean: Any, scale: Any, centres: Any, parents: Any) -> None:
        """Set mean and scale (F,) that standardise embeddings, the centres (J, F) and their clusters (J,)."""
        for buffer, values in zip(self.buffers(), (mean, scale, centres, parents), strict=True):
            buffer.copy_(torch.as_tensor(values))

    def forward(self, embeddings_BF: Tensor, clusters_B: Tensor) -> Tensor:
        """Fine cluster (B,), int64: the nearest centre of the cluster that each embedding is in."""
        other_BJ = self.parents_J.unsqueeze(0) != clusters_B.unsqueeze(1)
        return self.squared_distances(embeddings_BF).masked_fill(other_BJ, torch.inf).argmin(1)

    def squared_distances(self, embeddings_BF: Tensor) -> Tensor:
        """Squared distance (B, J) of each embedding, standardised, to each centre."""
        points_BF = (embeddings_BF - self.mean_F) / self.scale_F
        lengths = points_BF.square().sum(-1, keepdim=True) + self.centres_JF.square().sum(-1)
        return (lengths - 2 * points_BF @ self.centres_JF.T).clamp_min(0.0)

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this module: `FineClusters(**recipe)`."""
        return {"embedding_size": self.embedding_size, "centres": self.centres}


class CentreHead(nn.Module):
    """Embeddings (B, F) to probabilities (B, K).

    >>> head = CentreHead(embedding_size=2, centres=3, clusters=2)
    >>> tuple(head(torch.zeros(5, 2)).shape)
    (5, 2)
    """

    width: Tensor

    def __init__(self, embedding_size: int, centres: int, clusters: int) -> None:
        super().__init__()
        self.fine, self.clusters = FineClusters(embedding_size, centres), clusters
        self.register_buffer("width", torch.ones(()))

    def forward(self, embeddings_BF: Tensor) -> Tensor:
        """Probabilities (B, K)."""
        squared_BJ = self.fine.squared_distances(embeddings_BF)
        p_BJ = (-squared_BJ / (2 * self.width.square())).softmax(-1)
        return p_BJ.new_zeros(len(p_BJ), self.clusters).index_add_(1, self.fine.parents_J, p_BJ)

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this head: `CentreHead(**recipe)`."""
        return {**self.fine.recipe(), "clusters": self.clusters}

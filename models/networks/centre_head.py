"""Centres of fine clusters: they divide the clusters of any head, and are a head themselves for k-means and merged graphs.

```text
p(fine cluster) = softmax(-distance² / 2 width²)      p(cluster) = sum over its fine clusters
```
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MIN_RADIUS_EMBEDDINGS = 100


class FineClusters(nn.Module):
    """Centres of standardised embeddings, each of which belongs to a cluster."""

    mean_F: Tensor  # noqa: N815
    scale_F: Tensor  # noqa: N815
    centres_JF: Tensor  # noqa: N815
    parents_J: Tensor  # noqa: N815
    radius_J: Tensor  # noqa: N815

    def __init__(self, embedding_size: int, centres: int) -> None:
        super().__init__()
        self.embedding_size, self.centres = embedding_size, centres
        self.register_buffer("mean_F", torch.zeros(embedding_size))
        self.register_buffer("scale_F", torch.ones(embedding_size))
        self.register_buffer("centres_JF", torch.zeros(centres, embedding_size))
        self.register_buffer("parents_J", torch.zeros(centres, dtype=torch.int64))
        self.register_buffer("radius_J", torch.full((centres,), torch.inf))

    @torch.no_grad()
    def set_centres(self, mean: Any, scale: Any, centres: Any, parents: Any) -> None:
        """Set mean and scale (F,) that standardise embeddings, the centres (J, F) and their clusters (J,)."""
        buffers = (self.mean_F, self.scale_F, self.centres_JF, self.parents_J)
        for buffer, values in zip(buffers, (mean, scale, centres, parents), strict=True):
            buffer.copy_(torch.as_tensor(values))

    @torch.no_grad()
    def set_radius(self, embeddings_NF: Tensor, fine_N: Tensor, share: float = 0.99) -> None:
        """Set the radius of each centre: this share of the training embeddings in its cluster lie within it.

        Centres of fewer than 100 embeddings have that of all, as so few say nothing about one in a hundred.
        """
        distance_N = self.distances(embeddings_NF, fine_N)
        self.radius_J.fill_(float(distance_N.quantile(share)))
        for index, count in enumerate(torch.bincount(fine_N, minlength=self.centres).tolist()):
            if count >= MIN_RADIUS_EMBEDDINGS:
                self.radius_J[index] = distance_N[fine_N == index].quantile(share)

    def distances(self, embeddings_BF: Tensor, fine_B: Tensor) -> Tensor:
        """Distance (B,) of each embedding, standardised, to the centre of its fine cluster."""
        return self.squared_distances(embeddings_BF).gather(1, fine_B.unsqueeze(1)).squeeze(1).sqrt()

    def unlike(self, embeddings_BF: Tensor, fine_B: Tensor) -> Tensor:
        """Whether each embedding lies outside the radius of its centre: unlike what the network was trained on; bool (B,)."""
        return self.distances(embeddings_BF, fine_B) > self.radius_J[fine_B]

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

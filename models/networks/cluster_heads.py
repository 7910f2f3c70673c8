"""Cluster heads: from embeddings to cluster probabilities, for every K and seed at once.

```text
embeddings (B, F) -standardised-> trunk of seed s: linear, GroupNorm, ReLU -> hidden (S, B, H) -> one matrix
                                                    | K=2 | K=3 | ... | K=20 | over-clustering 5 x 20 |
```
The heads of one seed share a trunk: heads of larger K and the over-clustering head are auxiliary tasks of the others (Ji et
al. 2019 found over-clustering to matter most). Seeds share nothing; each gives the result of a separate training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..seeds import generator, initialise, uniform

HIDDEN_UNITS = 256
HEAD_NORM_GROUPS = 16
NEAR_UNIFORM = 1e-3
"""Scale of the last layer's initial weights for nearly equal initial clusters (Hu et al. 2017 use 1e-4)."""
OVERCLUSTERING_FACTOR = 5
"""The over-clustering head has this many times the largest K clusters, ..."""
MAX_OVERCLUSTERS = 70
"""... and at most this many: larger joint tables are nearly empty at usual batch sizes."""


class ClusterHead(nn.Module):
    """One head: embeddings (B, F) to probabilities (B, K)."""

    mean_F: Tensor  # noqa: N815
    scale_F: Tensor  # noqa: N815

    def __init__(
        self, embedding_size: int, clusters: int, hidden: int = HIDDEN_UNITS, source: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self._recipe = {"embedding_size": embedding_size, "clusters": clusters, "hidden": hidden}
        self.embedding_size, self.clusters = embedding_size, clusters
        self.register_buffer("mean_F", torch.zeros(embedding_size))
        self.register_buffer("scale_F", torch.ones(embedding_size))
        self.trunk = nn.Linear(embedding_size, hidden)
        self.norm = nn.GroupNorm(HEAD_NORM_GROUPS, hidden)
        self.last = nn.Linear(hidden, clusters)
        initialise(self, source or generator(0, "head"))

    def logits(self, embeddings_BF: Tensor) -> Tensor:
        """Unnormalised log-probabilities (B, K)."""
        hidden = torch.relu(self.norm(self.trunk((embeddings_BF - self.mean_F) / self.scale_F)))
        logits_BK: Tensor = self.last(hidden)
        return logits_BK

    def forward(self, embeddings_BF: Tensor) -> Tensor:
        """Probabilities (B, K)."""
        return self.logits(embeddings_BF).softmax(-1)

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this head: `ClusterHead(**recipe)`."""
        return dict(self._recipe)


class HeadBank(nn.Module):
    """Heads for all of `clusters` × `seeds`, evaluated together.

    Every head has as many columns as the largest K; a bias of minus infinity excludes columns beyond its own K.

    >>> bank = HeadBank(8, (2, 3), seeds=(0, 1))
    >>> p_SJBK, over_SBK = bank(torch.zeros(2, 5, 8))
    >>> tuple(p_SJBK.shape), tuple(over_SBK.shape)
    ((2, 2, 5, 3), (2, 5, 15))
    """

    mean_F: Tensor  # noqa: N815
    scale_F: Tensor  # noqa: N815
    absent_JK: Tensor  # noqa: N815

    def __init__(
        self,
        embedding_size: int,
        clusters: Sequence[int],
        seeds: Sequence[int],
        hidden: int = HIDDEN_UNITS,
        scale: float = NEAR_UNIFORM,
    ) -> None:
        """`scale`: factor of the last layers' initial weights."""
        super().__init__()
        self.embedding_size, self.hidden, self.scale = embedding_size, hidden, scale
        self.clusters, self.seeds = tuple(clusters), tuple(seeds)
        self.widest = max(self.clusters)
        self.over = max(self.widest, min(OVERCLUSTERING_FACTOR * self.widest, MAX_OVERCLUSTERS))
        """Clusters of the over-clustering head."""
        self.register_buffer("mean_F", torch.zeros(embedding_size))
        self.register_buffer("scale_F", torch.ones(embedding_size))
        sizes, count = torch.tensor(self.clusters), len(self.seeds)
        absent_JK = torch.where(torch.arange(self.widest) < sizes.unsqueeze(1), 0.0, -torch.inf)
        self.register_buffer("absent_JK", absent_JK, persistent=False)
        self.trunk_SFH = nn.Parameter(torch.empty(count, embedding_size, hidden))
        self.bias_SH = nn.Parameter(torch.zeros(count, hidden))
        self.gain_SH = nn.Parameter(torch.ones(count, hidden))
        self.shift_SH = nn.Parameter(torch.zeros(count, hidden))
        self.last_SHJK = nn.Parameter(torch.empty(count, hidden, len(self.clusters), self.widest))
        self.bias_SJK = nn.Parameter(torch.zeros(count, len(self.clusters), self.widest))
        self.over_SHK = nn.Parameter(torch.empty(count, hidden, self.over))
        self.over_bias_SK = nn.Parameter(torch.zeros(count, self.over))
        with torch.no_grad():
            for s, seed in enumerate(self.seeds):
                self.trunk_SFH[s] = _first((embedding_size, hidden), embedding_size, generator(seed, "trunk"))
                self.over_SHK[s] = _first((hidden, self.over), hidden, generator(seed, "over")) * scale
                for j, k in enumerate(self.clusters):
                    self.restart(s, j, generator(seed, "head", k))

    @torch.no_grad()
    def standardise(self, embeddings_NF: Tensor) -> None:
        """Set mean and standard deviation with which embeddings are standardised, from `embeddings_NF`."""
        self.mean_F.copy_(embeddings_NF.mean(0))
        self.scale_F.copy_(embeddings_NF.std(0, unbiased=False).clamp_min(1e-6))

    @torch.no_grad()
    def restart(self, s: int, j: int, source: torch.Generator) -> None:
        """Draw new weights for the last layer of head `j` of seed `s`."""
        self.last_SHJK[s, :, j] = _first((self.hidden, self.widest), self.hidden, source) * self.scale
        self.bias_SJK[s, j] = 0.0

    def forward(self, embeddings_SBF: Tensor) -> tuple[Tensor, Tensor]:
        """(probabilities (S, J, B, K), over-clustering probabilities (S, B, K)); 0 beyond the clusters of a head."""
        standard = (embeddings_SBF - self.mean_F) / self.scale_F
        hidden = torch.baddbmm(self.bias_SH.unsqueeze(1), standard, self.trunk_SFH)
        normed = F.layer_norm(
            hidden.reshape(*hidden.shape[:-1], HEAD_NORM_GROUPS, -1), (self.hidden // HEAD_NORM_GROUPS,)
        ).flatten(-2)
        hidden = torch.relu(normed * self.gain_SH.unsqueeze(1) + self.shift_SH.unsqueeze(1))
        bias = (self.bias_SJK + self.absent_JK).flatten(1).unsqueeze(1)
        logits = torch.baddbmm(bias, hidden, self.last_SHJK.flatten(2))
        over = torch.baddbmm(self.over_bias_SK.unsqueeze(1), hidden, self.over_SHK)
        p_SBJK = logits.view(*logits.shape[:2], len(self.clusters), self.widest).softmax(-1)
        return p_SBJK.transpose(1, 2), over.softmax(-1)

    def extract(self, seed: int, clusters: int) -> ClusterHead:
        """The head of one seed and K as a separate network."""
        return self.head(self.seeds.index(seed), self.clusters.index(clusters))

    @torch.no_grad()
    def head(self, s: int, j: int) -> ClusterHead:
        """Head `j` of seed number `s` as a separate network."""
        clusters = self.clusters[j]
        head = ClusterHead(self.embedding_size, clusters, self.hidden)
        head.mean_F.copy_(self.mean_F)
        head.scale_F.copy_(self.scale_F)
        head.trunk.weight.copy_(self.trunk_SFH[s].T)
        head.trunk.bias.copy_(self.bias_SH[s])
        head.norm.weight.copy_(self.gain_SH[s])
        head.norm.bias.copy_(self.shift_SH[s])
        head.last.weight.copy_(self.last_SHJK[s, :, j, :clusters].T)
        head.last.bias.copy_(self.bias_SJK[s, j, :clusters])
        return head


def _first(shape: tuple[int, ...], fan_in: int, source: torch.Generator) -> Tensor:
    bound = (6.0 / fan_in) ** 0.5
    return uniform(shape, -bound, bound, source)

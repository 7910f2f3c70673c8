"""Clusterer: the whole network, patches to cluster probabilities and codes, and the guards against collapse."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from ..losses.clustering import entropy
from .autoencoder import Autoencoder
from .cluster_heads import ClusterHead

COLLAPSED_BELOW = 0.5
"""A clustering has collapsed if its effective number of clusters is under this share of K, ..."""
UNDECIDED_BELOW = 0.2
"""... or if patches tell less than this share of ln K about clusters: even probabilities for all have K effective ones."""


class Clusterer(nn.Module):
    """Autoencoder and head in one; rebuilt by `Clusterer.from_recipe`."""

    def __init__(self, autoencoder: Autoencoder, head: ClusterHead) -> None:
        super().__init__()
        self.autoencoder, self.head = autoencoder, head

    def forward(self, patches_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(probabilities (B, K), codes (B, F)) of float patches in [0, 1]."""
        embeddings_BF = self.autoencoder.encode(patches_BCYX)
        probabilities_BK: Tensor = self.head(embeddings_BF)
        return probabilities_BK, embeddings_BF

    def recipe(self) -> dict[str, Any]:
        """What rebuilds this network, without its weights."""
        return {"autoencoder": self.autoencoder.recipe(), "head": self.head.recipe()}

    @classmethod
    def from_recipe(cls, recipe: dict[str, Any]) -> Clusterer:
        """The network of a recipe, with first weights; fill it with `load_state_dict`."""
        return cls(Autoencoder(**recipe["autoencoder"]), ClusterHead(**recipe["head"]))


def effective_clusters(mean_K: Tensor) -> Tensor:
    """exp(H) of the mean probabilities over the last axis: K if all clusters are equal, 1 if one holds everything."""
    return entropy(mean_K).exp()


def smallest_share(mean_K: Tensor) -> Tensor:
    """The mean probability of the least used cluster."""
    return mean_K.amin(-1)


def collapsed(mean_K: Tensor, information: Tensor, clusters: int) -> Tensor:
    """Whether a clustering into K says next to nothing; bool, of the shape of `information`."""
    few = effective_clusters(mean_K) < COLLAPSED_BELOW * clusters
    return few | (information < UNDECIDED_BELOW * math.log(clusters))

"""Clusterer: the whole network, from patches to cluster probabilities and embeddings; and the tests for collapse."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from ..losses.clustering import entropy
from .autoencoder import Autoencoder
from .cluster_heads import ClusterHead

COLLAPSED_BELOW = 0.5
"""A clustering has collapsed if its effective number of clusters is below this share of K, ..."""
UNDECIDED_BELOW = 0.2
"""... or if the mutual information of patch and cluster is below this share of ln K: equal probabilities everywhere have
K effective clusters, too."""


class Clusterer(nn.Module):
    """Autoencoder and cluster head as one network; `Clusterer.from_recipe` rebuilds it."""

    def __init__(self, autoencoder: Autoencoder, head: ClusterHead) -> None:
        super().__init__()
        self.autoencoder, self.head = autoencoder, head

    def forward(self, patches_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(probabilities (B, K), embeddings (B, F)) of float patches in [0, 1]."""
        embeddings_BF = self.autoencoder.encode(patches_BCYX)
        probabilities_BK: Tensor = self.head(embeddings_BF)
        return probabilities_BK, embeddings_BF

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights."""
        return {"autoencoder": self.autoencoder.recipe(), "head": self.head.recipe()}

    @classmethod
    def from_recipe(cls, recipe: dict[str, Any]) -> Clusterer:
        """The network of a recipe with initial weights; `load_state_dict` loads trained ones."""
        return cls(Autoencoder(**recipe["autoencoder"]), ClusterHead(**recipe["head"]))


def effective_clusters(mean_K: Tensor) -> Tensor:
    """exp(entropy) of the mean probabilities over the last axis: K for clusters of equal size, 1 for a single cluster."""
    return entropy(mean_K).exp()


def smallest_share(mean_K: Tensor) -> Tensor:
    """Mean probability of the smallest cluster."""
    return mean_K.amin(-1)


def collapsed(mean_K: Tensor, information: Tensor, clusters: int) -> Tensor:
    """Whether a clustering has collapsed to few clusters or near-equal probabilities; bool, shape of `information`."""
    few = effective_clusters(mean_K) < COLLAPSED_BELOW * clusters
    return few | (information < UNDECIDED_BELOW * math.log(clusters))

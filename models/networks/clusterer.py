"""Clusterer: the whole network, from patches to cluster probabilities and embeddings; and the tests for collapse."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from ..losses.clustering import entropy
from .centre_head import CentreHead, FineClusters
from .cluster_heads import ClusterHead
from .encoders import Encoder, encoder_of

COLLAPSED_BELOW = 0.5
"""A clustering has collapsed if its effective number of clusters is below this share of K, ..."""
UNDECIDED_BELOW = 0.2
"""... or if the mutual information of patch and cluster is below this share of ln K: equal probabilities everywhere have
K effective clusters, too."""


Head = ClusterHead | CentreHead


class Clusterer(nn.Module):
    """Encoder, cluster head and fine clusters as one network; `Clusterer.from_recipe` rebuilds it.

    Without fine clusters, each cluster is its own.
    """

    def __init__(self, autoencoder: Encoder, head: Head, fine: FineClusters | None = None) -> None:
        super().__init__()
        self.autoencoder, self.head, self.fine = autoencoder, head, fine

    @property
    def fine_clusters(self) -> int:
        """Number of fine clusters."""
        return self.head.clusters if self.fine is None else self.fine.centres

    def forward(self, patches_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(probabilities (B, K), embeddings (B, F)) of float patches in [0, 1]."""
        embeddings_BF = self.autoencoder.encode(patches_BCYX)
        probabilities_BK: Tensor = self.head(embeddings_BF)
        return probabilities_BK, embeddings_BF

    def divide(self, clusters_B: Tensor, embeddings_BF: Tensor) -> Tensor:
        """Fine cluster (B,) of embeddings in these clusters, from 0."""
        if self.fine is None:
            return clusters_B
        fine_B: Tensor = self.fine(embeddings_BF.float(), clusters_B)
        return fine_B

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights."""
        recipe = {"autoencoder": self.autoencoder.recipe(), "head": self.head.recipe()}
        return recipe if self.fine is None else {**recipe, "fine": self.fine.recipe()}

    @classmethod
    def from_recipe(cls, recipe: dict[str, Any]) -> Clusterer:
        """The network of a recipe with initial weights; `load_state_dict` loads trained ones."""
        fine = FineClusters(**recipe["fine"]) if "fine" in recipe else None
        return cls(encoder_of(recipe["autoencoder"]), head_of(recipe["head"]), fine)


def head_of(recipe: dict[str, Any]) -> Head:
    """The head of a recipe with initial weights: one of centres, or a network."""
    return CentreHead(**recipe) if "centres" in recipe else ClusterHead(**recipe)


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

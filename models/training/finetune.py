"""FineTune: the phase that trains encoder and head together; the reconstruction loss keeps embeddings from collapsing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..batches import Patches, Shuffled, in_order
from ..losses.clustering import entropy
from ..networks.autoencoder import to_float
from ..networks.clusterer import Clusterer, collapsed, effective_clusters, smallest_share
from ..networks.encoders import Trainable
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator
from ..views.cubes import CubeViews
from ..views.patches import Views
from .optimiser import Adam
from .phases import check_finite
from .sweep import ClusteringObjective, objective_loss


@dataclass(frozen=True, slots=True)
class FineTuneOutcome:
    """Quality of the final clustering on unchanged patches."""

    effective: float
    """Effective number of clusters, exp(entropy of the mean probabilities): K at best."""
    smallest: float
    """Mean probability of the smallest cluster."""
    information: float
    """Mutual information of patch and cluster in nats: ln K at best, 0 if all patches have the same probabilities."""
    collapsed: bool
    """Whether `collapsed` of the clusterer holds; reports warn of it."""


class FineTune:
    """Information maximisation between two views + gamma × reconstruction error; Adam at 1e-4 (head) and 1e-5 (encoder)."""

    name = "fine-tune"
    gamma = 1.0

    def __init__(
        self,
        clusterer: Clusterer,
        patches: Patches,
        steps: int,
        objective: ClusteringObjective = "iic",
        seed: int = 0,
        views: Views | CubeViews | None = None,
        replica: Replica = SINGLE,
    ) -> None:
        if not isinstance(clusterer.autoencoder, Trainable):
            raise TypeError("a frozen encoder has no decoder, and keeps its weights: it cannot be fine-tuned")
        self.clusterer, self.objective, self.steps = clusterer, objective, steps
        self._reconstruction_error = clusterer.autoencoder.reconstruction_error
        self._patches, self._seed, self._views = patches, seed, views or Views()
        batch = replica.even(min(256, max(64, 20 * clusterer.head.clusters), len(patches)))
        self._batches = Shuffled(len(patches), batch, seed, self.name)
        self._device = next(clusterer.parameters()).device
        self._replica, self._losses = replica, replica.join(Computed(clusterer, self._compute))
        self._adam = Adam({"head": (clusterer.head, 1e-4), "autoencoder": (clusterer.autoencoder, 1e-5)}, steps)

    def step(self, index: int) -> dict[str, float]:
        draw, batch = generator(self._seed, self.name, index), self._batches[index]
        patches_BCYX = to_float(self._patches[batch[self._replica.rows(len(batch))]]).to(self._device)
        view_BCYX, other_BCYX = (self._views(patches_BCYX, draw, self._replica) for _ in range(2))
        information, reconstruction = self._losses(view_BCYX, other_BCYX)
        loss = information + self.gamma * reconstruction
        figures = self._replica.means(loss=loss, information=information, reconstruction=reconstruction)
        check_finite(self.name, index, figures["loss"])
        self._adam.step(loss, index)
        return figures

    def _compute(self, view_BCYX: Tensor, other_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        p_BK, embeddings_BF = self.clusterer(view_BCYX)
        q_BK, _ = self.clusterer(other_BCYX)
        information = objective_loss(self.objective, self._replica.gather(p_BK), self._replica.gather(q_BK))
        return information, self._reconstruction_error(embeddings_BF, view_BCYX)

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)

    def outcome(self) -> FineTuneOutcome:
        """Quality of the clustering on up to 4,096 patches."""
        return quality_of(self.clusterer, self._patches)


@torch.inference_mode()
def quality_of(clusterer: Clusterer, patches: Patches, most: int = 4096, batch: int = 128) -> FineTuneOutcome:
    """Quality of a clustering on up to `most` patches, spread evenly over all."""
    device = next(clusterer.parameters()).device
    index = torch.arange(0, len(patches), -(-len(patches) // most)).numpy()
    parts = in_order(len(index), batch)
    return _quality(
        (clusterer(to_float(patches[index[part]]).to(device))[0] for part in parts), clusterer.head.clusters
    )


@torch.inference_mode()
def quality_of_embeddings(
    clusterer: Clusterer, embeddings_NF: Tensor, most: int = 4096, batch: int = 128
) -> FineTuneOutcome:
    """The same, of patches whose embeddings by its encoder are known."""
    chosen_NF = embeddings_NF[:: -(-len(embeddings_NF) // most)].to(next(clusterer.parameters()).device)
    return _quality(map(clusterer.head, torch.split(chosen_NF, batch)), clusterer.head.clusters)


def _quality(probabilities: Iterable[Tensor], clusters: int) -> FineTuneOutcome:
    """Quality of a clustering by the probabilities (B, K) of some batches of patches."""
    totals_K, uncertain, count = torch.zeros(clusters), torch.zeros(()), 0
    for p_BK in probabilities:
        totals_K, uncertain, count = totals_K.to(p_BK.device), uncertain.to(p_BK.device), count + len(p_BK)
        totals_K += p_BK.sum(0)
        uncertain += entropy(p_BK).sum()
    mean_K = totals_K / count
    information = entropy(mean_K) - uncertain / count
    return FineTuneOutcome(
        effective=float(effective_clusters(mean_K)),
        smallest=float(smallest_share(mean_K)),
        information=float(information),
        collapsed=bool(collapsed(mean_K, information, clusters)),
    )

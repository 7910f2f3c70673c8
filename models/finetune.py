"""FineTune: the phase that trains encoder and head together, the reconstruction kept so that codes cannot collapse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .autoencoder import to_float
from .batches import Patches, Shuffled, in_order
from .clusterer import Clusterer, collapsed, effective_clusters, smallest_share
from .losses import entropy
from .optimiser import Adam
from .phases import finite
from .seeds import generator
from .sweep import Objective, objective_loss
from .views import Views

# B batch, C channel, Y X pixels, F features of a code, K clusters


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the clustering ended, on patches as they are."""

    effective: float
    """exp(H) of the mean probabilities: K at best."""
    smallest: float
    """Mean probability of the least used cluster."""
    information: float
    """Between patch and cluster, in nats: ln K at best, 0 if all patches have the same probabilities."""
    collapsed: bool
    """True if it has under half of K effective clusters or decides nothing; say so wherever the clusters are shown."""


class FineTune:
    """Information maximisation between two views, plus gamma times the reconstruction; Adam, 1e-4 head, 1e-5 encoder."""

    name = "fine-tune"
    gamma = 1.0

    def __init__(
        self,
        clusterer: Clusterer,
        patches: Patches,
        steps: int,
        objective: Objective = "iic",
        seed: int = 0,
        views: Views | None = None,
    ) -> None:
        self.clusterer, self.objective, self.steps = clusterer, objective, steps
        self._patches, self._seed, self._views = patches, seed, views or Views()
        self._batches = Shuffled(len(patches), min(256, max(64, 20 * clusterer.head.clusters)), seed, self.name)
        self._adam = Adam({"head": (clusterer.head, 1e-4), "autoencoder": (clusterer.autoencoder, 1e-5)}, steps)

    def step(self, index: int) -> dict[str, float]:
        draw = generator(self._seed, self.name, index)
        patches_BCYX = to_float(self._patches[self._batches[index]])
        view_BCYX = self._views(patches_BCYX, draw)
        p_BK, codes_BF = self.clusterer(view_BCYX)
        q_BK, _ = self.clusterer(self._views(patches_BCYX, draw))
        information = objective_loss(self.objective, p_BK, q_BK)
        reconstruction = torch.nn.functional.mse_loss(self.clusterer.autoencoder.decode(codes_BF), view_BCYX)
        loss = information + self.gamma * reconstruction
        value = finite(self.name, index, loss)
        self._adam.step(loss, index)
        return {
            "loss": value,
            "information": float(information.detach()),
            "reconstruction": float(reconstruction.detach()),
        }

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)

    @torch.inference_mode()
    def outcome(self, most: int = 4096, batch: int = 128) -> Outcome:
        """The guards on up to `most` patches, spread evenly over all."""
        step = -(-len(self._patches) // most)
        index = torch.arange(0, len(self._patches), step).numpy()
        totals_K, uncertain = torch.zeros(self.clusterer.head.clusters), torch.zeros(())
        for part in in_order(len(index), batch):
            p_BK, _ = self.clusterer(to_float(self._patches[index[part]]))
            totals_K += p_BK.sum(0)
            uncertain += entropy(p_BK).sum()
        mean_K = totals_K / len(index)
        information = entropy(mean_K) - uncertain / len(index)
        return Outcome(
            effective=float(effective_clusters(mean_K)),
            smallest=float(smallest_share(mean_K)),
            information=float(information),
            collapsed=bool(collapsed(mean_K, information, self.clusterer.head.clusters)),
        )

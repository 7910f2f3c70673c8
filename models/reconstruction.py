"""Reconstruction: the phase that teaches the autoencoder to describe patches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .autoencoder import Autoencoder, to_float
from .batches import Patches, Shuffled
from .optimiser import Adam
from .phases import finite
from .seeds import generator
from .views import Views


class Reconstruction:
    """Mean squared error of a view's reconstruction; Adam at 1e-3."""

    name = "reconstruction"

    def __init__(
        self,
        autoencoder: Autoencoder,
        patches: Patches,
        steps: int,
        batch: int = 64,
        seed: int = 0,
        views: Views | None = None,
    ) -> None:
        self.autoencoder, self.steps = autoencoder, steps
        self._patches, self._seed = patches, seed
        self._batches = Shuffled(len(patches), batch, seed, self.name)
        self._views = views or Views()
        self._adam = Adam({"autoencoder": (autoencoder, 1e-3)}, steps)

    def step(self, index: int) -> dict[str, float]:
        draw = generator(self._seed, self.name, index)
        patches_BCYX = self._views(to_float(self._patches[self._batches[index]]), draw)
        again_BCYX, _ = self.autoencoder(patches_BCYX)
        loss = torch.nn.functional.mse_loss(again_BCYX, patches_BCYX)
        value = finite(self.name, index, loss)
        self._adam.step(loss, index)
        return {"loss": value}

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)

"""ShiftTraining: the phase that trains a network to adapt a tone to single volumes, without a pair of scans.

Scans of the target, taken back through the tone with a random shift, are scans of the source whose shift is known. As real
scans they are divided by their 99th percentile, which the shift changes: the network has to find that gain, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..harmonization.measures import THUMBNAIL, Measures
from ..networks.tone import ShiftNetwork, Tone, terms
from ..seeds import generator
from .optimiser import Adam
from .phases import check_finite

BATCH, RATE, DECAY = 16, 2e-3, 1e-2
SPREAD = 0.05
"""Standard deviation of a shift: differences between scans of one scanner."""
NOISE = 0.02
"""Standard deviation of the noise of a thumbnail's cells."""


class ShiftTraining:
    """Squared error of the shift, weighted by what its terms do to values."""

    name = "shift"

    def __init__(self, tone: Tone, target: Sequence[Measures], steps: int, seed: int = 0) -> None:
        self.tone, self.steps, self._seed = tone, steps, seed
        self._terms = thumbnail_terms()
        self.network = ShiftNetwork(self._terms.shape[-1], generator(seed, "shift network"))
        self._pictures = torch.from_numpy(np.stack([m.thumbnail[0] for m in target]))
        self._covered = torch.from_numpy(np.stack([m.covered for m in target])).float()
        self._weights = torch.cat([self._terms.square().mean((0, 1)).sqrt(), torch.ones(2)])
        plain = self._source(torch.arange(len(self._pictures)), torch.zeros(len(self._pictures), len(self._weights)))
        self._level = float(top_of(plain, self._covered).log().mean())
        self._adam = Adam({"network": (self.network, RATE)}, steps, decay=DECAY)

    def step(self, index: int) -> dict[str, float]:
        draw = generator(self._seed, self.name, index)
        chosen = torch.randint(len(self._pictures), (BATCH,), generator=draw)
        shift_BS = SPREAD * torch.randn(BATCH, len(self._weights), generator=draw)
        shift_BS[:, -2] = 0
        covered, source = self._covered[chosen], self._source(chosen, shift_BS)
        shift_BS[:, -2] = top_of(source, covered).log() - self._level
        source = source / shift_BS[:, -2, None, None, None].exp()
        source = source * (1 + NOISE * torch.randn(source.shape, generator=draw))
        by = torch.randint(-1, 2, (3,), generator=draw).tolist()
        guess = self.network(torch.roll(source * covered, by, (1, 2, 3)), torch.roll(covered, by, (1, 2, 3)))
        loss = ((guess - shift_BS) * self._weights).square().sum(1).mean()
        figure = float(loss.detach())
        check_finite(self.name, index, figure)
        self._adam.step(loss, index)
        return {"loss": figure, "unadapted": float((shift_BS * self._weights).square().sum(1).mean())}

    def _source(self, chosen: Tensor, shift_BS: Tensor) -> Tensor:
        values_BCN = self._pictures[chosen].flatten(1)[:, None]
        return self.tone.inverse(values_BCN, self._terms, shift_BS).view_as(self._covered[chosen])

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)


def thumbnail_terms() -> Tensor:
    """Terms of a field at the cells of a thumbnail: (1, N, T)."""
    at = (torch.arange(THUMBNAIL) + 0.5) / THUMBNAIL * 2 - 1
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    return torch.stack(terms([z, y, x]), -1).flatten(0, 2)[None]


def top_of(pictures_BZYX: Tensor, covered_BZYX: Tensor) -> Tensor:
    """The 99th percentile of the covered cells of every thumbnail, (B,)."""
    rows = zip(pictures_BZYX, covered_BZYX, strict=True)
    return torch.stack([torch.quantile(picture[cells > 0], 0.99) for picture, cells in rows])


@torch.no_grad()
def shifts_of(network: ShiftNetwork, images: Sequence[Measures]) -> Tensor:
    """Shift of every image, (B, S)."""
    pictures = torch.from_numpy(np.stack([m.thumbnail[0] for m in images]))
    shift_BS: Tensor = network(pictures, torch.from_numpy(np.stack([m.covered for m in images])).float())
    return shift_BS

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
KEPT_APART = 5
"""One image in so many is kept apart."""
LEAST_APART = 3
"""Images from which on some are kept apart."""
UNMEASURED_TRUST = 0.4
"""Trust where there are too few images to measure it: about the best of 15 people on simulated sites."""
TRUST_BATCHES = 12


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
        numbers = torch.arange(len(target))
        apart = numbers % KEPT_APART == KEPT_APART // 2
        self._apart = numbers[apart] if len(target) >= LEAST_APART else numbers[:0]
        self._trained = numbers[~apart] if len(target) >= LEAST_APART else numbers
        plain = self._source(self._trained, torch.zeros(len(self._trained), len(self._weights)))
        self._level = float(top_of(plain, self._covered[self._trained]).log().mean())
        self._adam = Adam({"network": (self.network, RATE)}, steps, decay=DECAY)

    def step(self, index: int) -> dict[str, float]:
        draw = generator(self._seed, self.name, index)
        source, covered, shift_BS = self._drawn(self._trained, draw)
        by = torch.randint(-1, 2, (3,), generator=draw).tolist()
        guess = self.network(torch.roll(source * covered, by, (1, 2, 3)), torch.roll(covered, by, (1, 2, 3)))
        loss = ((guess - shift_BS) * self._weights).square().sum(1).mean()
        figure = float(loss.detach())
        check_finite(self.name, index, figure)
        self._adam.step(loss, index)
        return {"loss": figure, "unadapted": float((shift_BS * self._weights).square().sum(1).mean())}

    @torch.no_grad()
    def finished(self) -> ShiftNetwork:
        """The trained network, trusted as far as it is right for people that were kept apart.

        Trust is the slope of the line through 0 from predicted shifts to true ones, by least squares, in [0, 1].
        """
        self.network.eval()
        self.network.trust.fill_(UNMEASURED_TRUST)
        if len(self._apart):
            self.network.trust.fill_(1.0)
            products = squares = 0.0
            for index in range(TRUST_BATCHES):
                source, covered, shift_BS = self._drawn(self._apart, generator(self._seed, self.name, "trust", index))
                guess = self.network(source * covered, covered) * self._weights
                products += float((guess * shift_BS * self._weights).sum())
                squares += float(guess.square().sum())
            self.network.trust.fill_(min(1.0, max(0.0, products / squares if squares else 0.0)))
        return self.network

    def _drawn(self, images: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Thumbnails of some of these images as of the source with a random shift, their cells, and the shifts (B, S)."""
        chosen = images[torch.randint(len(images), (BATCH,), generator=draw)]
        shift_BS = SPREAD * torch.randn(BATCH, len(self._weights), generator=draw)
        shift_BS[:, -2] = 0
        covered, source = self._covered[chosen], self._source(chosen, shift_BS)
        shift_BS[:, -2] = top_of(source, covered).log() - self._level
        source = source / shift_BS[:, -2, None, None, None].exp()
        return source * (1 + NOISE * torch.randn(source.shape, generator=draw)), covered, shift_BS

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

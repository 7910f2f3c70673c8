"""Pasting: the phase that trains a spotter on normal films: half of a batch is unchanged, an anomaly is pasted into the others.

Every film is moved and toned a little first, changed or not, so that neither tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import SettingsError
from ..batches import Patches, Shuffled
from ..networks.autoencoder import to_float
from ..networks.spotter import Spotter
from ..replica import SINGLE, Computed, Replica
from ..seeds import generator, uniform
from ..views.pasted import PastedViews
from .optimiser import Adam
from .phases import check_finite

RATE, DECAY = 3e-3, 0.02
"""Learning rate after the warm-up, and weight decay."""
CELL_WEIGHT = 1.0
"""Weight of the cells' loss beside the film's."""
SEEN = 0.5
"""A cell shows an anomaly if its mean of the mask is over this."""


@dataclass(frozen=True, slots=True)
class PastingPlan:
    """Sizes of a training, and what is pasted."""

    steps: int
    batch: int = 48
    """Films of a step, of all replicas together."""
    views: PastedViews = PastedViews()
    shift: float = 0.05
    """A film is moved by up to this share of its side, enlarged or reduced by as much, and turned by as many radians."""
    gamma: float = 0.3
    """A film's grey values are raised to a power of up to 1 + this, or down to its reciprocal."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or not 0 <= self.shift < 0.5 or self.gamma < 0:
            raise SettingsError(
                f"{self.steps} steps of {self.batch} films moved by {self.shift:g} of a side with a gamma of {self.gamma:g} "
                "cannot be done: there is a step, a batch has two films, and a film stays in view."
            )


class Pasting:
    """Cross-entropy of the films and of their cells; figures are `loss`, `cells` and `accuracy` (share of films told right).

    >>> import numpy as np
    >>> films = np.zeros((8, 1, 32, 32), np.uint8)
    >>> sorted(Pasting(Spotter(widths=(8, 8)), films, PastingPlan(steps=2, batch=4)).step(0))
    ['accuracy', 'cells', 'loss']
    """

    name = "pasting"

    def __init__(
        self, spotter: Spotter, films: Patches, plan: PastingPlan, *, seed: int = 0, replica: Replica = SINGLE
    ) -> None:
        """`films`: (n, C, S, S) uint8, uint16 or float in [0, 1], normal ones alone."""
        self.spotter, self.steps, self._plan, self._films = spotter, plan.steps, plan, films
        self._seed, self._replica = seed, replica
        self._batches = Shuffled(len(films), replica.even(min(plan.batch, len(films))), seed, self.name)
        self._device = next(spotter.parameters()).device
        self._losses = replica.join(Computed(spotter, self._compute))
        self._adam = Adam({"spotter": (spotter, RATE)}, plan.steps, decay=DECAY)

    def step(self, index: int) -> dict[str, float]:
        draw, batch = generator(self._seed, self.name, index), self._batches[index]
        films_BCYX = moved(to_float(self._films[batch]), self._plan, draw)
        changed = torch.randperm(len(batch), generator=draw)[: len(batch) // 2]
        mask_B1YX = torch.zeros_like(films_BCYX[:, :1])
        changed_B = torch.zeros(len(batch)).index_fill_(0, changed, 1.0)
        films_BCYX[changed], mask_B1YX[changed] = self._plan.views(films_BCYX[changed], draw)
        rows = self._replica.rows(len(batch))
        self.spotter.train()
        inputs = (films_BCYX[rows], mask_B1YX[rows], changed_B[rows])
        film, cells, accuracy = self._losses(*(tensor.to(self._device) for tensor in inputs))
        loss = film + CELL_WEIGHT * cells
        figures = self._replica.means(loss=loss, cells=cells, accuracy=accuracy)
        check_finite(self.name, index, figures["loss"])
        self._adam.step(loss, index)
        return figures

    def _compute(self, films_BCYX: Tensor, mask_B1YX: Tensor, changed_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        film_B, cells_BYX = self.spotter(films_BCYX)
        seen_BYX = (F.adaptive_avg_pool2d(mask_B1YX, cells_BYX.shape[1:]).squeeze(1) > SEEN).float()
        loss = F.binary_cross_entropy_with_logits(film_B, changed_B)
        cells = F.binary_cross_entropy_with_logits(cells_BYX, seen_BYX)
        return loss, cells, ((film_B > 0) == (changed_B > 0.5)).float().mean()

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)


def moved(films_BCYX: Tensor, plan: PastingPlan, source: torch.Generator) -> Tensor:
    """Each film moved, turned, enlarged and toned a little; what comes in from outside repeats the border."""
    count = len(films_BCYX)
    turn, scale = (uniform((count,), -plan.shift, plan.shift, source) for _ in range(2))
    shift = uniform((2, count), -2 * plan.shift, 2 * plan.shift, source)  # -1 to 1 is the whole film
    cosine, sine = turn.cos() * (1 + scale), turn.sin() * (1 + scale)
    rows = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], 1).view(count, 2, 3)
    grid_BYX2 = F.affine_grid(rows, list(films_BCYX.shape), align_corners=False)
    view = F.grid_sample(films_BCYX, grid_BYX2, mode="bilinear", padding_mode="border", align_corners=False)
    limit = torch.tensor(1 + plan.gamma).log().item()
    power = uniform((count, 1, 1, 1), -limit, limit, source).exp()
    return view.clamp(0.0, 1.0) ** power

"""Spotter: a convolutional network that says whether a film holds an anomaly, and where.

```text
(C, S, S) -> standardised -> [conv 3x3 stride 2, BatchNorm, ReLU, conv 3x3, BatchNorm, ReLU] x blocks -> maps (F, cells)
maps -> conv 1x1 -> logit of each cell: is an anomaly here?
maps -> mean and maximum over cells -> linear -> logit of the film
```
`standardised`: each film has mean 0 and standard deviation 1 over its middle, so that its brightness and contrast as a whole
say nothing; what fine structure a film has relative to its contrast is kept. BatchNorm computes with fixed statistics when the
network is applied: a film's score does not depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..seeds import generator, initialise

BORDER = 0.1
"""Share of the side, at each edge, that is left out of the mean and standard deviation of a film: it is often background."""
MIN_SPREAD = 1e-3
"""Least standard deviation by which a film is divided."""


class Spotter(nn.Module):
    """Finds what a training showed it as anomalies, in films of any side.

    >>> spotter = Spotter(widths=(8, 8, 16))
    >>> film, cells = spotter(torch.rand(2, 1, 40, 40))
    >>> tuple(film.shape), tuple(cells.shape)
    ((2,), (2, 5, 5))
    """

    def __init__(
        self,
        channels: int = 1,
        widths: tuple[int, ...] = (16, 32, 64),
        *,
        source: torch.Generator | None = None,
    ) -> None:
        """`source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network."""
        super().__init__()
        if channels < 1 or not widths or min(widths) < 1:
            raise SettingsError(
                f"a network of {channels} channels and blocks of {widths} maps cannot be made: it needs one of each."
            )
        self._recipe: dict[str, Any] = {"channels": channels, "widths": list(widths)}
        self.channels, self.cell = channels, 2 ** len(widths)
        self.blocks = nn.Sequential(*[_block(a, b) for a, b in pairwise((channels, *widths))])
        self.spots = nn.Conv2d(widths[-1], 1, 1)
        self.head = nn.Linear(2 * widths[-1], 1)
        initialise(self, source or generator(0, "spotter"))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, films_BCYX: Tensor) -> Tensor:
        """The last block's maps (B, F, *cells); a cell is `cell` pixels wide."""
        standard = standardised(films_BCYX).contiguous(memory_format=torch.channels_last)
        return torch.as_tensor(self.blocks(standard))

    def features(self, films_BCYX: Tensor) -> Tensor:
        """What the head sees of each film (B, 2 F)."""
        return self.pooled(self.maps(films_BCYX))

    def pooled(self, maps_BFYX: Tensor) -> Tensor:
        """Mean and maximum of each map (B, 2 F)."""
        return torch.cat([maps_BFYX.mean((2, 3)), maps_BFYX.amax((2, 3))], 1)

    def forward(self, films_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(logit of each film (B,), logit of each cell (B, *cells)) of films (B, C, Y, X) in [0, 1]."""
        maps_BFYX = self.maps(films_BCYX)
        return self.head(self.pooled(maps_BFYX)).squeeze(1), self.spots(maps_BFYX).squeeze(1)

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights: `spotter_of(recipe)`."""
        return dict(self._recipe)


def spotter_of(recipe: Mapping[str, Any], source: torch.Generator | None = None) -> Spotter:
    """The network that a recipe describes, with new weights."""
    return Spotter(**{**recipe, "widths": tuple(recipe["widths"])}, source=source)


def standardised(films_BCYX: Tensor) -> Tensor:
    """Each film with mean 0 and standard deviation 1 over its middle, all channels together."""
    edge = int(BORDER * films_BCYX.shape[-1])
    middle = films_BCYX[..., edge : films_BCYX.shape[-2] - edge, edge : films_BCYX.shape[-1] - edge]
    spread, mean = torch.std_mean(middle, dim=(1, 2, 3), keepdim=True, correction=0)
    return (films_BCYX - mean) / spread.clamp_min(MIN_SPREAD)


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, 2, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, 1, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )

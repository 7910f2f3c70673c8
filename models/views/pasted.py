"""Pasted: a normal film with an anomaly pasted into it, and the mask of what was pasted; a network learns to see it.

```text
mask (soft, 0 to 1): a union of deformed ellipses where `prior` is high
film' = film + strength · mask · (filling - film)
opacity   filling: an even bright level + a share of the film's own fine structure      consolidation
haze      filling: the blurred film + a little brightness                               vessels and edges fade
contrast  filling: the film with another gain about its mean
foreign   filling: another film, moved, with the tone of this one or its own            CutPaste, NSA
grain     filling: the film + band-passed noise                                         reticular and nodular patterns
```
After Li et al., CVPR 2021 (CutPaste), and Schlüter et al., ECCV 2022 (NSA): their patches come from other images
alone. All numbers are drawn on the CPU for the whole batch from the generator that is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import SettingsError
from ..seeds import uniform

Array = npt.NDArray[Any]
KINDS_OF_PASTE = ("opacity", "haze", "contrast", "foreign", "grain")
ELLIPSES = 4
"""Ellipses of a mask, at most."""
COARSE_CELLS = (5, 12)
"""Cells a side of the smooth noise that deforms ellipses, and of the noise that makes an opacity patchy."""
BLUR = 0.05
"""Squares whose means tell tone from fine structure, as a share of the side."""


@dataclass(frozen=True, slots=True)
class PastedViews:
    """How anomalies look; strengths and sizes are drawn evenly between their ends.

    >>> draw = torch.Generator().manual_seed(0)
    >>> pasted_BCYX, mask_B1YX = PastedViews()(torch.rand(4, 1, 32, 32), draw)
    >>> tuple(pasted_BCYX.shape), tuple(mask_B1YX.shape)
    ((4, 1, 32, 32), (4, 1, 32, 32))
    """

    weights: tuple[float, ...] = (4.0, 2.0, 1.0, 2.0, 1.0)
    """How often each of `KINDS_OF_PASTE` is drawn, relative to the others."""
    strength: tuple[float, float] = (0.5, 1.0)
    """Share of the film that the filling replaces where the mask is 1."""
    radius: tuple[float, float] = (0.08, 0.35)
    """Half axes of an ellipse as shares of the side."""
    bilateral: float = 0.25
    """Share of masks that are mirrored onto the other side too."""
    brightness: tuple[float, float] = (0.1, 1.3)
    """Level of an opacity: standard deviations of the film above its mean."""
    prior: tuple[tuple[float, ...], ...] | None = None
    """Where centres of ellipses lie: weights on a coarse grid over the film, rows first; None for anywhere (`prior_of`)."""

    def __post_init__(self) -> None:
        ranges = (self.strength, self.radius, self.brightness)
        if len(self.weights) != len(KINDS_OF_PASTE) or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise SettingsError(
                f"weights {self.weights} do not say how often each of {', '.join(KINDS_OF_PASTE)} is pasted: there is one of 0 "
                "or more for each, and one is over 0."
            )
        if any(low > high for low, high in ranges) or self.strength[0] <= 0 or self.radius[0] <= 0:
            raise SettingsError(f"the ranges {ranges} of pasted anomalies are not from low to high, or not over 0.")

    def __call__(self, films_BCYX: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
        """(films with anomalies, float32 in [0, 1] and of the same shape; masks (B, 1, Y, X) in [0, 1])."""
        count = len(films_BCYX)
        mask_B1YX = self.masks(count, films_BCYX.shape[-1], source)
        kind_B = torch.multinomial(
            torch.tensor(self.weights, dtype=torch.float32), count, replacement=True, generator=source
        )
        scene = Scene(films_BCYX)
        filling = torch.empty_like(films_BCYX)
        for kind, make in enumerate(FILLINGS):
            rows = (kind_B == kind).nonzero().flatten()
            if len(rows):
                filling[rows] = make(scene.part(rows), self, source)
        strength_B = uniform((count, 1, 1, 1), *self.strength, source)
        pasted = films_BCYX + strength_B * mask_B1YX * (filling - films_BCYX)
        return pasted.clamp(0.0, 1.0), mask_B1YX

    def masks(self, count: int, side: int, source: torch.Generator) -> Tensor:
        """Soft masks (count, 1, side, side) in [0, 1]."""
        shape = (count, ELLIPSES, 1, 1)
        x_BE11, y_BE11 = self._centres(count, source)
        half = torch.exp(uniform((2, *shape), math.log(self.radius[0]), math.log(self.radius[1]), source))
        angle = uniform(shape, 0.0, math.pi, source)
        places = (torch.arange(side) + 0.5) / side
        x, y = places.view(1, 1, 1, -1) - x_BE11, places.view(1, 1, -1, 1) - y_BE11
        along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
        inside = 1.0 - ((along / half[0]).square() + (across / half[1]).square())
        inside = inside + 0.7 * smooth_noise(count, ELLIPSES, COARSE_CELLS[1], side, source)
        edge = uniform(shape, 1.0, 6.0, source)
        kept = torch.rand(shape, generator=source) < 0.5
        kept[:, 0] = True
        mask_B1YX = (torch.sigmoid(inside.clamp_min(-30.0) * edge) * kept).amax(1, keepdim=True)
        both = torch.rand((count, 1, 1, 1), generator=source) < self.bilateral
        mask_B1YX = torch.where(both, torch.maximum(mask_B1YX, mask_B1YX.flip(-1)), mask_B1YX)
        patchy = uniform((count, 1, 1, 1), 0.0, 0.5, source) * smooth_noise(count, 1, COARSE_CELLS[1], side, source)
        return (mask_B1YX * (1.0 + patchy)).clamp(0.0, 1.0)

    def _centres(self, count: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
        """x and y (count, ELLIPSES, 1, 1) of centres, in [0, 1] over the film."""
        grid = torch.tensor(self.prior) if self.prior is not None else torch.ones(1, 1)
        cells = torch.multinomial(grid.flatten(), count * ELLIPSES, replacement=True, generator=source)
        row, column = cells // grid.shape[1], cells % grid.shape[1]
        jitter = torch.rand((2, count * ELLIPSES), generator=source)
        x, y = (column + jitter[0]) / grid.shape[1], (row + jitter[1]) / grid.shape[0]
        return x.view(count, ELLIPSES, 1, 1), y.view(count, ELLIPSES, 1, 1)


class Scene:
    """Films with what fillings are made of: their tone without fine structure, their mean and standard deviation."""

    def __init__(self, films_BCYX: Tensor, others_BCYX: Tensor | None = None) -> None:
        """`others_BCYX`: another film for each; the one before it in the batch without it."""
        self.films = films_BCYX
        self.others = films_BCYX.roll(1, 0) if others_BCYX is None else others_BCYX
        self.side, self.one = films_BCYX.shape[-1], (len(films_BCYX), 1, 1, 1)

    def part(self, rows: Tensor) -> Scene:
        """The same of some films."""
        return Scene(self.films[rows], self.others[rows])

    def moments(self) -> tuple[Tensor, Tensor]:
        """(mean, standard deviation) of each film, (B, 1, 1, 1)."""
        spread, mean = torch.std_mean(self.films, dim=(1, 2, 3), keepdim=True, correction=0)
        return mean, spread


def opacity(scene: Scene, views: PastedViews, source: torch.Generator) -> Tensor:
    """An uneven bright level with a share of the film's own fine structure: air was replaced by fluid."""
    mean, sd = scene.moments()
    level = mean + sd * uniform(scene.one, *views.brightness, source)
    level = level + 0.3 * sd * smooth_noise(len(mean), 1, COARSE_CELLS[0], scene.side, source)
    return level + (scene.films - blurred(scene.films)) * uniform(scene.one, 0.1, 0.9, source)


def haze(scene: Scene, views: PastedViews, source: torch.Generator) -> Tensor:
    """The blurred film, brighter: vessels and edges fade."""
    soft, (_, sd) = blurred(scene.films), scene.moments()
    kept = (scene.films - soft) * uniform(scene.one, 0.0, 0.4, source)
    return soft + sd * uniform(scene.one, 0.0, 0.6, source) + kept


def contrast(scene: Scene, views: PastedViews, source: torch.Generator) -> Tensor:
    """The film with less contrast about its mean."""
    mean, sd = scene.moments()
    gain = uniform(scene.one, 0.3, 0.8, source)
    return mean + (scene.films - mean) * gain + sd * uniform(scene.one, -0.1, 0.5, source)


def foreign(scene: Scene, views: PastedViews, source: torch.Generator) -> Tensor:
    """Another film, moved by up to a third of a side, with the tone of this film or its own."""
    third = scene.side // 3
    offset = torch.randint(-third, third + 1, (2,), generator=source).tolist()
    other = scene.others.roll(offset, (2, 3))
    own_tone = torch.rand(scene.one, generator=source) < 0.5
    return torch.where(own_tone, other - blurred(other) + blurred(scene.films), other)


def grain(scene: Scene, views: PastedViews, source: torch.Generator) -> Tensor:
    """The film with band-passed noise on it: reticular and nodular patterns."""
    mean, sd = scene.moments()
    noise = smooth_noise(len(mean), 1, scene.side // 2, scene.side, source)
    noise = noise - blurred(noise)
    return scene.films + noise * sd * uniform(scene.one, 0.2, 0.8, source) + sd * uniform(scene.one, 0.0, 0.4, source)


FILLINGS = (opacity, haze, contrast, foreign, grain)
"""What each of `KINDS_OF_PASTE` puts in, in their order."""


def smooth_noise(count: int, channels: int, cells: int, side: int, source: torch.Generator) -> Tensor:
    """Normal noise on a grid of `cells` a side, enlarged by cubic interpolation: (count, channels, side, side)."""
    noise = torch.randn((count, channels, cells, cells), generator=source)
    return F.interpolate(noise, size=(side, side), mode="bicubic", align_corners=False)


def blurred(images_BCYX: Tensor) -> Tensor:
    """Means over squares of `BLUR` of the side, linear between their middles: tone without fine structure."""
    cells = max(2, round(1 / BLUR))
    coarse = F.interpolate(images_BCYX, size=(cells, cells), mode="area")
    return F.interpolate(coarse, size=images_BCYX.shape[-2:], mode="bilinear", align_corners=False)


def prior_of(mean_YX: Array, cells: int = 20) -> tuple[tuple[float, ...], ...]:
    """Where lungs are, from the mean film of the training set: the dark cells of its middle; for `PastedViews.prior`.

    The middle is the film without a border of an eighth of its side; dark is below the median of the middle.

    >>> film = np.ones((40, 40)); film[10:30, 8:16] = film[10:30, 24:32] = 0.2
    >>> prior = np.array(prior_of(film, cells=10))
    >>> bool(prior[5, 2] > 0), bool(prior[5, 5] > 0), bool(prior[0, 0] > 0)
    (True, False, False)
    """
    coarse = _coarse(mean_YX, cells)
    edge = -(-cells // 8)
    middle = np.zeros_like(coarse, bool)
    middle[edge : cells - edge, edge : cells - edge] = True
    dark = middle & (coarse < np.median(coarse[middle]))
    return _weights(dark if dark.any() else middle)


def body_of(mean_YX: Array, cells: int = 20) -> tuple[tuple[float, ...], ...]:
    """Where the body is, from the mean slice of volumes that are 0 around it: cells over a quarter of the brightest one.

    >>> mean = np.zeros((40, 40)); mean[8:32, 12:28] = 0.5
    >>> int(np.sum(body_of(mean, cells=10)))  # 6 x 4 cells
    24
    """
    coarse = _coarse(mean_YX, cells)
    return _weights(coarse >= 0.25 * coarse.max())


def _coarse(mean_YX: Array, cells: int) -> Array:
    """Means over cells of a grid."""
    rows, columns = (np.linspace(0, n, min(cells, n) + 1).round().astype(int) for n in mean_YX.shape)
    return np.array([[mean_YX[a:b, c:d].mean() for c, d in pairwise(columns)] for a, b in pairwise(rows)])


def _weights(inside: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in inside)

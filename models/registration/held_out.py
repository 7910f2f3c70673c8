"""held_out: what a map is worth on blocks of the tissue that it was not fitted to.

```text
|a|b|a|b|     the tissue as a board of squares: a stage is fitted to the squares a and checked on b,
|b|a|b|a|     and the other way round
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .channels import Section
from .descriptors import agreement
from .stages import displaced, inside
from .start import warped

Array = npt.NDArray[Any]
SQUARES = 24
"""Squares along the longer side."""
WINDOW_SIGMA = 4.0
"""Standard deviation of the window of the local correlation, in pixels."""
LEAST_SHARE = 0.25
"""Share of a square that must be tissue for it to count."""
LEAST_SQUARES = 6
"""Fewest squares that can tell two maps apart."""
CLEARLY = 2.0
"""Mean gain of the squares over its standard error, from which a stage is taken for better."""


@dataclass(frozen=True, slots=True)
class Board:
    """The squares of a section's tissue."""

    number: Array
    """int (y, x): the square of a pixel."""
    colour: Array
    """int (y, x): 0 or 1."""
    mask: Array
    """float32 (y, x): share of tissue."""

    def evidence(self, colour: int) -> Array:
        """Weights of the squares of one colour, float32 (y, x)."""
        return np.asarray(self.mask * (self.colour == colour), np.float32)

    def scores(self, plane: Array, colour: int) -> Array:
        """Mean of a plane over each square of one colour; NaN for squares with little tissue."""
        count = int(self.number.max()) + 1
        weight = (self.mask * (self.colour == colour)).ravel()
        sizes = np.bincount(self.number.ravel(), minlength=count)
        held = np.bincount(self.number.ravel(), weight, count)
        total = np.bincount(self.number.ravel(), weight * plane.ravel(), count)
        return np.where(held > LEAST_SHARE * sizes, total / np.maximum(held, 1e-9), np.nan)


def board(fixed: Section) -> Board:
    shape = fixed.picture.shape
    side = max(8, -(-max(shape) // SQUARES))
    rows, columns = (np.arange(length) // side for length in shape)
    number = rows[:, None] * (columns[-1] + 1) + columns
    return Board(number, (rows[:, None] + columns) % 2, fixed.mask)


def similarity(fixed: Section, moving: Section, affine: Array, field: Array | None) -> Array:
    """Local correlation at each pixel of `fixed`, (y, x); 0 where the moving picture ends."""
    shape = fixed.picture.shape
    picture, present = warped(moving.picture, affine, shape), inside(moving, affine, shape)
    if field is not None:
        picture, present = displaced(picture, field), displaced(present, field)
    return agreement(fixed.picture, picture, WINDOW_SIGMA) * present


@dataclass(frozen=True, slots=True)
class Gain:
    """Of two maps on the same squares."""

    before: float
    after: float
    errors: float
    """Mean gain of the squares, in standard errors."""
    squares: int

    @property
    def accepted(self) -> bool:
        return bool(self.squares >= LEAST_SQUARES and self.errors > CLEARLY)

    @property
    def why(self) -> str:
        if self.squares < LEAST_SQUARES:
            return f"{self.squares} squares with tissue cannot tell, {LEAST_SQUARES} are needed"
        if self.accepted:
            return f"better on {self.squares} squares held out, by {self.errors:.1f} standard errors"
        return f"not better on {self.squares} squares held out: {self.errors:+.1f} standard errors"


def gain(before: Array, after: Array) -> Gain:
    """The gain from scores of squares, NaN for those that do not count."""
    counted = np.isfinite(before) & np.isfinite(after)
    if counted.sum() < 2:
        return Gain(float("nan"), float("nan"), 0.0, int(counted.sum()))
    difference = after[counted] - before[counted]
    spread = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    errors = float(difference.mean()) / max(spread, 1e-9)
    return Gain(float(before[counted].mean()), float(after[counted].mean()), errors, len(difference))

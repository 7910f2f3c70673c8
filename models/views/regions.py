"""Regions: a random box or ball of each image is masked, or alone is kept, so that a network reads all of an image.

```text
mask   a b c d      keep   . . . .      cut   b c
       e . . h             . f g .            f g
       i . . l             . j k .
```
Images have two or three axes; all numbers come from the numpy generator that is passed in. Masking as Random Erasing (Zhong et
al., AAAI 2020) does it; keeping is its complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
TRIES = 8
"""Positions of a cut that are tried, at most; the fullest is taken where none is full enough."""


@dataclass(frozen=True, slots=True)
class RegionViews:
    """How often regions are masked or kept, and how large they are.

    >>> view = RegionViews(mask=1.0, keep=0.0)(np.ones((2, 1, 16, 16, 16), np.float32), np.random.default_rng(0))
    >>> view.shape, bool((view == 0).any())
    ((2, 1, 16, 16, 16), True)
    """

    mask: float = 0.25
    """Share of the images of which a region is masked."""
    keep: float = 0.25
    """Share of the images of which a region alone is kept."""
    smallest: float = 0.3
    """Side of a region as a share of the image's side, at least ..."""
    largest: float = 0.7
    """... and at most."""
    mirror: bool = True
    """Whether half of the images are mirrored along x."""
    fill: float = 0.0
    """Value of what is masked."""

    def __post_init__(self) -> None:
        if min(self.mask, self.keep) < 0 or self.mask + self.keep > 1 or not 0 < self.smallest <= self.largest <= 1:
            raise ValueError(
                f"shares of {self.mask:g} masked and {self.keep:g} kept images, and regions of {self.smallest:g} to "
                f"{self.largest:g} of a side, cannot be drawn: shares sum to 1 at most, sides are from over 0 to 1"
            )

    def __call__(self, images_BCZYX: Array, source: np.random.Generator) -> Array:
        """A view of each image, of the same shape and type."""
        out = images_BCZYX.copy()
        for i, choice in enumerate(source.random(len(out))):
            if self.mirror and source.random() < 0.5:
                out[i] = out[i, ..., ::-1]
            if choice < self.mask + self.keep:
                region = random_region(out.shape[2:], source, self.smallest, self.largest)
                out[i, :, region if choice < self.mask else ~region] = self.fill
        return out


def random_region(shape: Sequence[int], source: np.random.Generator, smallest: float, largest: float) -> Array:
    """A box or a ball, each with a probability of one half, inside an image: bool, True in the region."""
    sides = np.array(shape) * source.uniform(smallest, largest, len(shape))
    middle = source.uniform(sides / 2, np.array(shape) - sides / 2)
    ball = source.random() < 0.5
    return (ball_of if ball else box_of)(shape, middle, sides)


def box_of(shape: Sequence[int], middle: Array, sides: Array) -> Array:
    """The cells whose centres lie in a box.

    >>> box_of((4,), np.array([2.0]), np.array([2.0])).tolist()
    [False, True, True, False]
    """
    axes = [np.abs(np.arange(n) + 0.5 - m) <= s / 2 for n, m, s in zip(shape, middle, sides, strict=True)]
    return np.asarray(reduce(np.logical_and, np.meshgrid(*axes, indexing="ij", sparse=True)))


def ball_of(shape: Sequence[int], middle: Array, sides: Array) -> Array:
    """The cells whose centres lie in the ellipsoid that fills a box."""
    axes = [((np.arange(n) + 0.5 - m) / (s / 2)) ** 2 for n, m, s in zip(shape, middle, sides, strict=True)]
    return np.asarray(sum(np.meshgrid(*axes, indexing="ij", sparse=True)) <= 1.0)


def cut_regions(images_BCZYX: Array, sides: Sequence[int], source: np.random.Generator, full: float = 0.5) -> Array:
    """A box of `sides` cells from a random position of each image, of which a share `full` is not 0: (B, C, *sides).

    Where an image has no such box, the fullest of `TRIES` positions is taken.
    """
    shape = images_BCZYX.shape[2:]
    out = np.empty((*images_BCZYX.shape[:2], *sides), images_BCZYX.dtype)
    for i, image_CZYX in enumerate(images_BCZYX):
        best = -1.0
        for _ in range(TRIES):
            start = [int(source.integers(0, n - s + 1)) for n, s in zip(shape, sides, strict=True)]
            cut_CZYX = image_CZYX[(slice(None), *(slice(a, a + s) for a, s in zip(start, sides, strict=True)))]
            share = float((cut_CZYX != 0).mean())
            if share > best:
                best, out[i] = share, cut_CZYX
            if share >= full:
                break
    return out

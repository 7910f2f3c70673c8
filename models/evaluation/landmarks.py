"""landmarks: how far landmarks of a registered section lie from those of its reference, as challenges of registration tell it.

The target registration error of a landmark is its distance from its partner; relative (rTRE), it is divided by the diagonal of
the reference image. Figures and names are those of Borovec et al. 2020, IEEE TMI 39 (10), "ANHIR: automatic non-rigid
histological image registration challenge".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MIN_LANDMARKS = 3
"""Fewest landmarks that determine an affine map."""


@dataclass(frozen=True, slots=True)
class LandmarkErrors:
    """Relative errors of one pair; shares of the diagonal, not percent."""

    count: int
    median: float
    mean: float
    largest: float
    p90: float
    median_before: float
    robustness: float
    """Share of landmarks that lie nearer to their partners than before."""


@dataclass(frozen=True, slots=True)
class PairsErrors:
    """Errors of several pairs, aggregated."""

    pairs: int
    average_median: float
    """AMrTRE: mean over pairs of the median."""
    median_median: float
    """MMrTRE: median over pairs of the median."""
    average_mean: float
    """ArTRE: mean over pairs of the mean."""
    average_largest: float
    average_robustness: float


def landmark_errors(target: Array, before: Array, after: Array, shape: tuple[int, int]) -> LandmarkErrors:
    """Errors of landmarks (n, 2) in one frame: those of the reference, and their partners before and after registration.

    `shape` (y, x) of the image in whose frame they are, in pixels. Raises ValueError where the numbers of landmarks differ.
    """
    planes = [np.asarray(points, float).reshape(-1, 2) for points in (target, before, after)]
    if len({len(points) for points in planes}) > 1 or not len(planes[0]):
        raise ValueError(
            f"{[len(points) for points in planes]} landmarks: give the same number, at least 1, in the same order"
        )
    diagonal = float(np.hypot(*shape))
    first, last = (np.linalg.norm(points - planes[0], axis=1) / diagonal for points in planes[1:])
    return LandmarkErrors(
        len(last),
        float(np.median(last)),
        float(last.mean()),
        float(last.max()),
        float(np.percentile(last, 90)),
        float(np.median(first)),
        float((last < first).mean()),
    )


def pairs_errors(pairs: Sequence[LandmarkErrors]) -> PairsErrors:
    """Errors of several pairs, each counted once whatever its number of landmarks. Raises ValueError without pairs."""
    if not pairs:
        raise ValueError("errors of no pair: register a pair with landmarks first")
    medians = [pair.median for pair in pairs]
    return PairsErrors(
        len(pairs),
        float(np.mean(medians)),
        float(np.median(medians)),
        float(np.mean([pair.mean for pair in pairs])),
        float(np.mean([pair.largest for pair in pairs])),
        float(np.mean([pair.robustness for pair in pairs])),
    )


def affine_oracle(source: Array, target: Array) -> Array:
    """Points (n, 2) `source` under the affine map that is nearest to `target` (n, 2) by least squares.

    It is fitted to the landmarks that it is judged on: no registration by an affine map can do clearly better.
    """
    if len(source) < MIN_LANDMARKS:
        raise ValueError(f"{len(source)} landmarks do not determine an affine map: {MIN_LANDMARKS} are needed")
    rows = np.column_stack([np.asarray(source, float), np.ones(len(source))])
    return np.asarray(rows @ np.linalg.lstsq(rows, np.asarray(target, float), rcond=None)[0])

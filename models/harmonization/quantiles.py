"""quantiles: the intensities of a volume as a quantile function, matched to that of another volume or of a whole site."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MaskedVolume = tuple[Array, Array]
"""Values float32 (z, y, x), and the bool mask of the same shape inside which they count."""
Transform = Callable[[Array, Array], Array]
"""(values, mask) -> values, float32 of the same shape. Values outside the mask stay as they are."""
LEVELS = np.linspace(0.0, 1.0, 1025)
"""Levels of a stored quantile function."""


def quantile_function(values: Array, mask: Array, levels: Array = LEVELS) -> Array:
    """Quantiles of the values inside the mask at `levels` in [0, 1], float64.

    >>> quantile_function(np.arange(5.0), np.ones(5, bool), np.array([0, 0.5, 1])).tolist()
    [0.0, 2.0, 4.0]
    """
    return np.asarray(np.quantile(inside_of(values, mask), levels))


def mean_quantile_function(volumes: Iterable[MaskedVolume], levels: Array = LEVELS) -> Array:
    """Mean over volumes of their quantile functions: the quantile function of a site's mean histogram.

    It is the mean in the sense of optimal transport; the mean of histograms bin by bin would have the peaks of all volumes.
    """
    total, count = np.zeros(len(levels)), 0
    for values, mask in volumes:
        total += quantile_function(values, mask, levels)
        count += 1
    if not count:
        raise ValueError("no volumes of the target site: there is nothing to match intensities to")
    return total / count


def mapped(
    values: Array, mask: Array, curve: tuple[Array, Array], *, extend: bool = False, lowest: float = -np.inf
) -> Array:
    """Values inside the mask mapped by straight pieces through the points of `curve`, (inputs, outputs); float32.

    Inputs and outputs ascend. Beyond its ends the curve is constant, or with `extend` continues its last piece, but not below
    `lowest`.
    """
    inputs, outputs = _strictly_ascending(*curve)
    inside = values[mask].astype(np.float64)
    new = np.interp(inside, inputs, outputs)
    if extend and len(inputs) > 1:
        for end, beyond in (((0, 1), inside < inputs[0]), ((-1, -2), inside > inputs[-1])):
            slope = (outputs[end[1]] - outputs[end[0]]) / (inputs[end[1]] - inputs[end[0]])
            new[beyond] = outputs[end[0]] + slope * (inside[beyond] - inputs[end[0]])
    result = values.astype(np.float32)
    result[mask] = np.maximum(new, lowest)
    return result


def matched(values: Array, mask: Array, target: Array) -> Array:
    """Histogram matching: `values` get the quantile function `target` (at `LEVELS`) inside the mask.

    Equal values stay equal, and their order stays.
    """
    return mapped(values, mask, (quantile_function(values, mask), target))


def inside_of(values: Array, mask: Array) -> Array:
    """Values inside the mask, float64 (n,). Raises ValueError for an empty mask."""
    if not mask.any():
        raise ValueError("the mask of the volume is empty: it has no intensities")
    return np.asarray(values[mask], np.float64)


def _strictly_ascending(inputs: Array, outputs: Array) -> tuple[Array, Array]:
    """The curve with one point for each input: several outputs of one input become their mean."""
    points, where = np.unique(inputs, return_inverse=True)
    if len(points) == len(inputs):
        return inputs, outputs
    return points, np.bincount(where, outputs) / np.bincount(where)

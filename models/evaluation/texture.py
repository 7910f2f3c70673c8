"""texture: numbers by which a scanner is recognised: the intensities inside a mask, and their fine structure.

Matching histograms makes the intensities of two sites equal and leaves blur and noise as they are, so intensities and fine
structure are two sets of features:

* intensities: quantiles inside the mask;
* structure: gradients, differences of Gaussians at several scales, curvature along each axis, likeness of neighbours at some
  distances along each axis, and the spread inside small windows: in darkest places it is the noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, gaussian_filter, uniform_filter

Array = npt.NDArray[Any]
QUANTILES = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98])
SCALES = (0.7, 1.4, 2.8, 5.6)
"""Standard deviations of Gaussians in cells; bands lie between neighbours, the finest between the image and the first."""
LAGS = (1, 2, 4)
"""Cells between neighbours that are compared."""
MARGIN = 2
"""Cells from the edge of the mask that are left out: structure across it belongs to the mask."""
MAX_SIDE = 192
"""Cells of an axis that are looked at, at most: the middle ones of a larger head, so that memory and time are bounded."""
TINY = 1e-6
"""Added before a logarithm, as a part of the spread inside the mask."""


def intensity_features(values: Array, mask: Array) -> Array:
    """Quantiles of the values inside the mask, float64 (13,)."""
    return np.asarray(np.quantile(values[mask].astype(np.float64), QUANTILES))


def structure_features(values: Array, mask: Array) -> Array:
    """Logarithms of energies of fine structure, and likeness of neighbours; float64 (14 + 4 an axis,).

    `values` have two or three axes. The cost is that of some filters over the mask's bounding box.
    """
    values, mask = _cut_out(values, mask)
    inner = binary_erosion(mask, iterations=MARGIN)
    inner = inner if inner.any() else mask
    spread = float(values[mask].std()) or 1.0
    gradient = np.sqrt(sum(np.square(part) for part in np.gradient(values)))[inner]
    window_mean = uniform_filter(values, 3)
    window_sd = np.sqrt(np.maximum(uniform_filter(np.square(values), 3) - np.square(window_mean), 0.0))[inner]
    dark = window_mean[inner] <= np.quantile(window_mean[inner], 0.1)
    energies = [
        *np.quantile(gradient, (0.1, 0.5, 0.9)),
        gradient.mean(),
        *np.quantile(window_sd, (0.05, 0.25, 0.5, 0.75, 0.95)),
        float(np.median(window_sd[dark])),
        *_bands(values, inner),
        *(_curvature(values, inner, axis) for axis in range(values.ndim)),
    ]
    likeness = [_likeness(values, inner, axis, lag) for axis in range(values.ndim) for lag in LAGS]
    return np.array([*np.log(np.array(energies) / spread + TINY), *likeness])


def _cut_out(values: Array, mask: Array) -> tuple[Array, Array]:
    """Both inside the middle of the mask's bounding box, with some cells around it.

    Values have their mean at 0, which they are outside the mask.
    """
    around = 2 * int(np.ceil(max(SCALES)))
    box = []
    for axis in range(mask.ndim):
        ends = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        if not len(ends):
            raise ValueError("the mask of the image is empty: it has no texture")
        less = max(0, int(ends[-1]) + 1 - int(ends[0]) - MAX_SIDE)
        box.append(slice(int(ends[0]) + less // 2, int(ends[-1]) + 1 - (less + 1) // 2))
    if mask[tuple(box)].any():  # else the mask is hollow
        values, mask = values[tuple(box)], mask[tuple(box)]
    centred = np.where(mask, values - values[mask].mean(dtype=np.float64), 0.0).astype(np.float32)
    return np.pad(centred, around), np.pad(mask, around)


def _bands(values: Array, inner: Array) -> list[float]:
    """Root mean square inside the mask of what lies between neighbouring scales, the finest first."""
    energies, finer = [], values
    for scale in SCALES:
        coarser = gaussian_filter(values, scale)
        energies.append(float(np.sqrt(np.square(finer - coarser)[inner].mean())))
        finer = coarser
    return energies


def _curvature(values: Array, inner: Array, axis: int) -> float:
    """Mean absolute second difference along an axis: an axis that is blurred more has less."""
    ahead, behind = np.roll(values, -1, axis), np.roll(values, 1, axis)
    return float(np.abs(ahead + behind - 2 * values)[inner].mean())


def _likeness(values: Array, inner: Array, axis: int, lag: int) -> float:
    """Correlation of values inside the mask with those `lag` cells further along an axis."""
    other = np.roll(values, -lag, axis)
    both = inner & np.roll(inner, -lag, axis)
    a, b = values[both].astype(np.float64), other[both].astype(np.float64)
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() and b.std() else 0.0

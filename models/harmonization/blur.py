"""Blur and noise between two sites, from the power spectra of unpaired pieces of their images.

The model: source spectrum = target spectrum x exp(-4 pi^2 sum_a s_a^2 f_a^2) + noise. A negative s^2 means that the source is
the sharper one along that axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BINS = 8
"""Bins of the frequency along each axis, from 0 to 0.5 cycles a cell."""
SHARPEST = 1.5
"""Largest difference in blur, standard deviation in cells, that is believed."""


@dataclass(frozen=True, slots=True)
class Blur:
    """How the source differs from the target in sharpness and noise."""

    variances: tuple[float, ...]
    """Cells squared, by axis: positive where the source is blurred more."""
    noise: float
    """Standard deviation of the noise that the source has beyond the blurred target's, in units of the scale."""

    @property
    def degrades(self) -> tuple[float, ...]:
        """Standard deviation, in cells, that makes the target as blurred as the source."""
        return tuple(float(np.sqrt(max(0.0, v))) for v in self.variances)

    @property
    def smooths(self) -> tuple[float, ...]:
        """Standard deviation, in cells, that makes the source as blurred as the target."""
        return tuple(float(np.sqrt(max(0.0, -v))) for v in self.variances)


def mean_spectrum(pieces: Iterable[Array]) -> Array:
    """Mean power of equal pieces (*axes), without their means, by |frequency|: (8,) * axes, for white noise its variance."""
    total: Array | None = None
    count, bins = 0, None
    for piece in pieces:
        window: Array = np.ones(())
        for n in piece.shape:
            window = np.multiply.outer(window, np.hanning(n + 2)[1:-1])
        values = (piece - piece.mean()) * window
        power = np.abs(np.fft.fftn(values)) ** 2 / np.square(window).sum()
        if bins is None:
            bins = np.zeros(power.shape, np.int64)
            for axis, n in enumerate(power.shape):
                bins = bins * BINS + _bins(n).reshape([-1 if a == axis else 1 for a in range(power.ndim)])
        sums = np.bincount(bins.ravel(), power.ravel(), BINS**power.ndim)
        total = sums if total is None else total + sums
        count += 1
    if total is None or bins is None:
        raise ValueError("a spectrum needs at least one piece")
    cells = np.maximum(np.bincount(bins.ravel(), minlength=BINS**bins.ndim), 1)
    means: Array = (total / cells / count).reshape((BINS,) * bins.ndim)
    return means


def _bins(side: int) -> Array:
    """The bin of every frequency of `side` cells."""
    return np.asarray(np.minimum((np.abs(np.fft.fftfreq(side)) * 2 * BINS).astype(np.int64), BINS - 1))


def relative_blur(source: Array, target: Array, side: int) -> Blur:
    """Blur and noise that make the target's mean spectrum the source's, by least squares of their logarithms.

    Both are spectra of pieces of `side` cells a side.
    """
    from scipy.optimize import least_squares

    axes = source.ndim
    frequencies = np.abs(np.fft.fftfreq(side))
    bins = _bins(side)
    a = np.log(source)

    def residuals(parameters: Array) -> Array:
        passed: Array = np.ones(())
        for variance in parameters[:axes]:
            power = np.exp(-4 * np.pi**2 * variance * frequencies**2)
            mean = np.bincount(bins, power, BINS) / np.maximum(np.bincount(bins, minlength=BINS), 1)
            passed = np.multiply.outer(passed, mean)
        return np.asarray((np.log(target * passed + np.square(parameters[axes]) + 1e-12) - a).ravel())

    start = np.full(axes + 1, 0.05)
    start[axes] = np.sqrt(source.min())
    limit = np.array([*[SHARPEST**2] * axes, np.inf])
    fit = least_squares(residuals, start, bounds=(-limit, limit), loss="soft_l1")
    return Blur(tuple(float(v) for v in fit.x[:axes]), float(abs(fit.x[axes])))

"""tissue_contrast: how far grey and white matter lie apart in a volume, by a split of the intensities into three classes.

The classes minimise the variance within classes (Otsu 1979, IEEE SMC 9:62, for two thresholds). In T1 weighted brains they are
fluid, grey and white matter; inside a whole head they are dark tissue, soft tissue and fat, and figures compare less.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BINS = 256
TAILS = (0.1, 99.9)
"""Percentiles between which bins lie; values beyond count in the first and last."""


def tissue_classes(values: Array, mask: Array) -> Array:
    """Class of each voxel, uint8 of the volume's shape: 0 outside the mask, then 1 (dark), 2 and 3 (bright)."""
    classes = np.zeros(values.shape, np.uint8)
    inside = values[mask].astype(np.float64)
    classes[mask] = 1 + np.digitize(inside, thresholds(inside))
    return classes


def contrast(values: Array, classes: Array) -> float:
    """Contrast of the bright class against the middle one: (w - g) / (w + g) of their means; a gain does not change it.

    nan where a class is empty, or the means do not sum to a positive number.

    >>> values = np.array([0.0, 1.0, 3.0])
    >>> contrast(values, np.array([1, 2, 3]))
    0.5
    """
    grey, white = (values[classes == k] for k in (2, 3))
    if not len(grey) or not len(white):
        return float("nan")
    g, w = float(grey.mean(dtype=np.float64)), float(white.mean(dtype=np.float64))
    return (w - g) / (w + g) if w + g > 0 else float("nan")


def class_overlap(first: Array, second: Array) -> float:
    """Mean Dice overlap of the three classes of two volumes in register; 1 where the tissue lies in the same places.

    >>> class_overlap(np.array([1, 2, 3, 3]), np.array([1, 2, 3, 3]))
    1.0
    """
    overlaps = []
    for k in (1, 2, 3):
        a, b = first == k, second == k
        if total := int(a.sum() + b.sum()):
            overlaps.append(2 * int((a & b).sum()) / total)
    return float(np.mean(overlaps)) if overlaps else float("nan")


def thresholds(values: Array) -> tuple[float, float]:
    """Both thresholds of Otsu's split of values (n,) into three classes."""
    low, high = np.percentile(values, TAILS)
    if not low < high:
        return float(high), float(high)
    counts, edges = np.histogram(values.clip(low, high), BINS, (low, high))
    middles = (edges[1:] + edges[:-1]) / 2
    weight = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    moment = np.concatenate([[0], np.cumsum(counts * middles)]) / counts.sum()
    first, second = np.triu_indices(BINS + 1, 1)

    def between(start: Array | int, stop: Array | int) -> Array:
        """Share of a class times its squared mean, for classes of bins [start, stop)."""
        share = weight[stop] - weight[start]
        square = np.square(moment[stop] - moment[start])
        return np.asarray(np.divide(square, share, out=np.zeros_like(square), where=share > 0))

    best = int((between(0, first) + between(first, second) + between(second, BINS)).argmax())
    return float(edges[first[best]]), float(edges[second[best]])

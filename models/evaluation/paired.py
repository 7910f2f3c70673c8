"""paired: a figure of several methods on the same subjects, compared by Wilcoxon's signed-rank test with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Pairing:
    """A method against another one, over the same subjects."""

    other: str
    subjects: int
    difference: float
    """Mean over subjects of the method's figure minus the other's."""
    better: int
    """Subjects whose figure is the higher one with the method."""
    p: float
    """Two-sided p-value of Wilcoxon's test; 1 where all differences are 0."""
    p_corrected: float
    """p after Holm's correction for the number of other methods."""


def compare_pairs(figures: Array, others: Mapping[str, Array]) -> dict[str, Pairing]:
    """Compare `figures` (subjects,) of a method with those of every other method, of the same subjects in the same order.

    Subjects without a finite figure in one of the two are left out of that comparison.

    >>> better = np.array([0.9, 0.8, 0.85, 0.95, 0.7, 0.75])
    >>> pair = compare_pairs(better, {"z-score": better - 0.1})["z-score"]
    >>> pair.better, round(pair.p, 5)
    (6, 0.03125)
    """
    found: dict[str, tuple[Array, float]] = {}
    for name, other in others.items():
        difference = np.asarray(figures, np.float64) - other
        difference = difference[np.isfinite(difference)]
        found[name] = difference, float(wilcoxon(difference).pvalue) if difference.any() else 1.0
    corrected = holm([p for _, p in found.values()])
    return {
        name: Pairing(
            other=name,
            subjects=len(difference),
            difference=float(difference.mean()) if len(difference) else float("nan"),
            better=int((difference > 0).sum()),
            p=p,
            p_corrected=new,
        )
        for (name, (difference, p)), new in zip(found.items(), corrected, strict=True)
    }


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected so that the chance of any false finding is kept (Holm 1979, Scand. J. Stat. 6:65), in their order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.arange(len(p), 0, -1) * np.asarray(p, np.float64)[order]
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(p) else steps
    return [float(value) for value in corrected]

"""shuffled: classes shuffled among subjects, as a control: an evaluation of them that is better than chance has a leak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def shuffled_by_subject(classes: Array, subjects: Array, source: np.random.Generator) -> Array:
    """The classes (n,), shuffled so that what belongs together stays together; rows of class -1 keep it.

    Subjects with equally many rows exchange all their classes, and the classes of a subject's rows are shuffled: a subject
    whose rows are of one class still has rows of one class.

    >>> mixed = shuffled_by_subject(np.array([0, 0, 1, 1, 2]), np.array(list("aabbc")), np.random.default_rng(1))
    >>> bool(mixed[0] == mixed[1]), bool(mixed[2] == mixed[3]), int(mixed[4])
    (True, True, 2)
    """
    out = classes.copy()
    known = np.flatnonzero(classes >= 0)
    names = np.unique(subjects[known])
    rows_of = [known[subjects[known] == name] for name in names]
    for size in sorted({len(rows) for rows in rows_of}):
        alike = [rows for rows in rows_of if len(rows) == size]
        for rows, other in zip(alike, source.permutation(len(alike)), strict=True):
            out[rows] = source.permutation(classes[alike[other]])
    return out


@dataclass(frozen=True, slots=True)
class ShuffledAccuracy:
    """Accuracies with shuffled classes."""

    mean: float
    sd: float
    p: float
    """Share of the draws, the true classes counted as one of them, that are as accurate as the true classes."""
    draws: int


def shuffled_accuracy(
    accuracy: Callable[[Array], float], classes: Array, subjects: Array, *, draws: int, source: np.random.Generator
) -> ShuffledAccuracy:
    """Accuracies of `accuracy(classes)` over shuffled classes; it trains and judges anew each time."""
    true = accuracy(classes)
    values = np.array([accuracy(shuffled_by_subject(classes, subjects, source)) for _ in range(draws)])
    p = (1 + int((values >= true - 1e-12).sum())) / (draws + 1)
    return ShuffledAccuracy(float(values.mean()), float(values.std(ddof=1)) if draws > 1 else 0.0, p, draws)

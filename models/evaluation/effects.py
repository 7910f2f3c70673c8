"""effects: by how much a cluster's log-ratio differs between two groups of subjects, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """The second group against the first: how many times as large the cluster's share is, relative to all clusters."""

    pair: tuple[int, int]
    """Positions of both groups."""
    ratio: float
    """exp of the difference of mean log-ratios: 2 is twice as much in the second group."""
    low: float
    """Lower end of the 95 % interval (Welch 1947: unequal variances)."""
    high: float


def log_ratio_effect(ratios: Array, group: Array, pair: tuple[int, int]) -> Effect:
    """Effect from log-ratios, float (subjects,), of both groups of `pair`; each has at least two subjects."""
    first, second = (ratios[group == g] for g in pair)
    difference = second.mean() - first.mean()
    parts = np.array([v.var(ddof=1) / len(v) for v in (first, second)])
    if not parts.sum():
        return Effect(pair, *(float(np.exp(difference)),) * 3)
    degrees = parts.sum() ** 2 / (parts**2 / [len(first) - 1, len(second) - 1]).sum()
    reach = stdtrit(degrees, 0.975) * np.sqrt(parts.sum())
    low, high = np.exp((difference - reach, difference + reach))
    return Effect(pair, float(np.exp(difference)), float(low), float(high))

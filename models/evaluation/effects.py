"""effects: by how much a number or a cluster's log-ratio differs between two groups of subjects, with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, softmax, stdtrit

Array = npt.NDArray[Any]
TAIL = 0.025
"""Chance beyond each end of an exact interval."""


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
    return Effect(pair, *(float(v) for v in np.exp(difference_of_means(first, second))))


def difference_of_means(first: Array, second: Array) -> tuple[float, float, float]:
    """(mean of `second` minus mean of `first`, ends of its 95 % interval) by Welch 1947; each has at least two values.

    The ends are the difference itself where neither set varies.
    """
    difference = float(second.mean() - first.mean())
    parts = np.array([v.var(ddof=1) / len(v) for v in (first, second)])
    if not parts.sum():
        return difference, difference, difference
    degrees = parts.sum() ** 2 / (parts**2 / [len(first) - 1, len(second) - 1]).sum()
    reach = float(stdtrit(degrees, 0.975) * np.sqrt(parts.sum()))
    return difference, difference - reach, difference + reach


def standardised(first: Array, second: Array) -> float:
    """Hedges' g: the difference of means in pooled standard deviations, corrected for few values; NaN where nothing varies.

    Hedges 1981, Journal of Educational Statistics 6:107.
    """
    degrees = len(first) + len(second) - 2
    pooled = ((len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1)) / degrees
    if not pooled:
        return float("nan")
    return float((second.mean() - first.mean()) / np.sqrt(pooled) * (1 - 3 / (4 * degrees - 1)))


def odds_ratio(inside: tuple[int, int], outside: tuple[int, int]) -> tuple[float, float, float]:
    """(odds in one group over those in the other, ends of the exact 95 % interval); each group is (with the value, without it).

    The conditional estimate and interval of Fisher: both totals are held, as the permutation test of them does, and nothing is
    added to a count. Where a count is 0, the estimate is 0 or infinite. Each end is a one-sided test at 2.5 %. Not by
    `scipy.stats.contingency.odds_ratio`, which takes seconds for tables of some ten thousand.

    >>> [round(v, 2) for v in odds_ratio((9, 1), (2, 8))]
    [27.33, 2.06, 1766.95]
    >>> [round(v, 2) for v in odds_ratio((7, 0), (7, 9))]
    [inf, 1.25, inf]
    """
    (first, second), (third, fourth) = inside, outside
    least, most = max(0, first - fourth), min(first + second, first + third)
    # further away the chance is below e^-40 (Hoeffding: it is a sum of bits)
    reach = 6 * math.isqrt(most - least + 1) + 6
    counts = np.arange(
        max(least, first - reach), min(most, first + reach) + 1
    )  # of the first cell, with both totals held
    rest = (counts, first + second - counts, first + third - counts, fourth - first + counts)
    log_ways = -sum(gammaln(n + 1) for n in rest)

    def solved(rising: Callable[[Array], float]) -> float:
        """The ratio at which `rising` of the chances of all counts is 0; below it is negative."""
        return _ratio_at(lambda log_ratio: rising(softmax(log_ways + log_ratio * counts)))

    is_least, is_most = first == least, first == most
    low = 0.0 if is_least else solved(lambda chances: float(chances[counts >= first].sum()) - TAIL)
    high = np.inf if is_most else solved(lambda chances: TAIL - float(chances[counts <= first].sum()))
    if is_least or is_most:
        return (np.nan if least == most else low if is_least else high), low, high
    return solved(lambda chances: float(chances @ counts) - first), low, high


def _ratio_at(rising: Callable[[float], float]) -> float:
    """exp of the place where a function of the log-ratio, which rises from below 0 to above, is 0."""
    from scipy.optimize import brentq

    reach = 1.0
    while not rising(-reach) < 0 < rising(reach):
        reach *= 2
    return float(np.exp(brentq(rising, -reach, reach, xtol=1e-12)))

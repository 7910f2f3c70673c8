"""permutations: tests of ranks and of categories between groups of subjects; p by permutation, so few subjects do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from scipy.stats import rankdata

from ..seeds import numpy_generator

Array = npt.NDArray[Any]
MAX_EXACT = 20_000
"""Most ways to divide the subjects that are all tried; of more, `DRAWS` are drawn."""
DRAWS = 9_999


def rank_test(values: Array, group: Array, *, seed: int = 0) -> tuple[Array, float]:
    """(p of every column of `values` (subjects, columns), the least p that these groups can give).

    The statistic is that of Kruskal and Wallis; for two groups its p-value is that of a two-sided Mann-Whitney test. `group` is
    int (subjects,), from 0.
    """
    ranks = rankdata(values, axis=0)
    return _permuted(ranks, group, seed, "rank_test", lambda statistic: statistic)


def category_test(values: Array, group: Array, *, seed: int = 0) -> tuple[float, float]:
    """(p of the chi-squared of categories and groups, the least p that these groups can give); both int (subjects,), from 0."""
    counts = np.bincount(values)
    member = np.eye(len(counts))[values][:, counts > 0] / np.sqrt(counts[counts > 0])
    # chi-squared is n · (sum over groups and categories of observed² / (size of both)) - n
    p, least = _permuted(member, group, seed, "category_test", lambda statistic: statistic.sum(-1, keepdims=True))
    return float(p[0]), least


def _permuted(
    values: Array, group: Array, seed: int, name: str, statistic: Callable[[Array], Array]
) -> tuple[Array, float]:
    """(p of every statistic, the least p), by all divisions of the subjects into such groups, or by drawn ones."""
    sizes = np.bincount(group)
    observed = statistic(_statistic(values, group[None]))[0]
    ways = float(np.exp(gammaln(len(group) + 1) - gammaln(sizes + 1).sum()))
    if round(ways) <= MAX_EXACT:
        drawn = all_divisions(tuple(sizes.tolist()))
        hits, total = _as_large(values, drawn, observed, statistic), len(drawn)
    else:
        draw = numpy_generator(seed, name)
        drawn = np.stack([draw.permutation(group) for _ in range(DRAWS)])
        # Phipson & Smyth 2010: never 0
        hits, total = 1 + _as_large(values, drawn, observed, statistic), 1 + DRAWS
    alike = 2 if len(sizes) == 2 and sizes[0] == sizes[1] else 1
    return hits / total, max(alike / ways, 1 / total)


@lru_cache(maxsize=4)
def all_divisions(sizes: tuple[int, ...]) -> Array:
    """All ways to divide subjects into groups of these sizes: the group of every subject, int8 (ways, subjects).

    >>> all_divisions((1, 2)).tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    return np.array(list(_divisions(sum(sizes), sizes)), np.int8)


def _divisions(subjects: int, sizes: tuple[int, ...], group: int = 0) -> Iterator[list[int]]:
    if len(sizes) == 1:
        yield [group] * subjects
        return
    for chosen in combinations(range(subjects), sizes[0]):
        others = [i for i in range(subjects) if i not in chosen]
        for rest in _divisions(len(others), sizes[1:], group + 1):
            found = [group] * subjects
            for i, value in zip(others, rest, strict=True):
                found[i] = value
            yield found


def _statistic(ranks: Array, groups: Array) -> Array:
    """Sum over groups of the squared sum of ranks over the group's size, for each row of `groups`: (rows, columns)."""
    total = np.zeros((len(groups), ranks.shape[1]))
    for g in range(groups.max() + 1):
        member = groups == g
        total += np.square(member @ ranks) / member.sum(1, keepdims=True)
    return total


def _as_large(values: Array, groups: Array, observed: Array, statistic: Callable[[Array], Array]) -> Array:
    parts = np.array_split(groups, max(1, len(groups) // 2000))
    return np.asarray(sum((statistic(_statistic(values, part)) >= observed - 1e-9).sum(0) for part in parts))

"""permutations: a rank test between groups of subjects, with p-values by permutation: ties and few subjects do no harm."""

from __future__ import annotations

from collections.abc import Iterator
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
    sizes = np.bincount(group)
    ranks = rankdata(values, axis=0)
    observed = _statistic(ranks, group[None])[0]
    ways = float(np.exp(gammaln(len(group) + 1) - gammaln(sizes + 1).sum()))
    if round(ways) <= MAX_EXACT:
        drawn = all_divisions(tuple(sizes.tolist()))
        hits, total = _as_large(ranks, drawn, observed), len(drawn)
    else:
        draw = numpy_generator(seed, "rank_test")
        drawn = np.stack([draw.permutation(group) for _ in range(DRAWS)])
        hits, total = 1 + _as_large(ranks, drawn, observed), 1 + DRAWS  # Phipson & Smyth 2010: never 0
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


def _as_large(ranks: Array, groups: Array, observed: Array) -> Array:
    parts = np.array_split(groups, max(1, len(groups) // 2000))
    return np.asarray(sum((_statistic(ranks, part) >= observed - 1e-9).sum(0) for part in parts))

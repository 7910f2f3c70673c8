"""Tree of clusters: merges, cuts of them at any level, and numbers that a cluster keeps at every finer level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """Two clusters become one: `second` is dissolved into `first`."""

    first: int
    second: int
    height: float
    """Distance of the two; merges come in the order in which they are made."""


def cut(merges: Sequence[Merge], clusters: int, level: int) -> Array:
    """Cluster -> group, int64 (J,), once at most `level` groups are left; they are numbered from 0 by their first cluster.

    >>> cut((Merge(0, 2, 1.0), Merge(0, 1, 2.0)), 3, 2).tolist()
    [0, 1, 0]
    """
    owner = np.arange(clusters)
    for merge in merges[: max(0, clusters - level)]:
        owner[owner == merge.second] = merge.first
    return np.unique(owner, return_inverse=True)[1].astype(np.int64)


def numbered(merges: Sequence[Merge], sizes: Sequence[int]) -> tuple[Array, Array]:
    """(number of each fine cluster, parent of each number), int64 (J,) each, from the top of the tree down.

    Undoing a merge at level K - 1 makes level K: the larger part keeps its number, the other becomes number K, and its parent
    is that number. So the clusters of level K are exactly 1 to K, and each keeps its number at every finer level. Parent of
    number 1 is 0.

    >>> numbers, parents = numbered((Merge(0, 2, 1.0), Merge(0, 1, 2.0)), (5, 20, 7))
    >>> numbers.tolist(), parents.tolist()
    ([3, 1, 2], [0, 1, 2])
    """
    count = len(sizes)
    totals = [int(n) for n in sizes]
    for merge in merges:
        totals[merge.first] += totals[merge.second]
    numbers, parents = np.ones(count, np.int64), np.zeros(count, np.int64)
    for level, merge in enumerate(reversed(merges), start=2):
        totals[merge.first] -= totals[merge.second]
        kept = numbers[merge.first]
        larger, smaller = merge.first, merge.second
        if totals[smaller] > totals[larger]:
            larger, smaller = smaller, larger
        numbers[larger], numbers[smaller] = kept, level
        parents[level - 1] = kept
    return numbers, parents


def number_at(parents: Sequence[int], level: int) -> Array:
    """Number at the finest level -> its number at `level`, int64 (J,): the nearest ancestor that is at most `level`.

    >>> number_at((0, 1, 2), 2).tolist()
    [1, 2, 2]
    """
    numbers: list[int] = []
    for number, parent in enumerate(parents, start=1):
        numbers.append(number if number <= level else numbers[parent - 1])
    return np.array(numbers, np.int64)

"""Correspondence: which clusters of a tree are those of another clustering, by the tiles that both have labelled.

```text
            other 1   other 2
cluster 1      90         5      one to one with the most tiles in common (Hungarian assignment): 1-1, 2-2;
cluster 2      10        40      cluster 3 has no counterpart left, whatever it has in common with 1
cluster 3      30         0
```
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .tree import number_at

Array = npt.NDArray[Any]
MAJORITY = 0.5
"""Two clusters correspond if they have at least this share of the tiles of one of the two in common."""


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A cluster and its counterpart in the other clustering."""

    cluster: int
    """Number in the tree."""
    other: int
    """Index in the other clustering."""
    share: float
    """Share of the cluster's tiles that lie in the counterpart."""
    other_share: float
    """Share of the counterpart's tiles that lie in the cluster."""


def correspond(overlap_JO: Array, parents: Sequence[int], levels: Iterable[int]) -> tuple[Counterpart, ...]:
    """Counterparts of a tree's clusters, one to one, in the order of the clusters.

    `overlap_JO`: tiles of each number at the finest level (J) in each cluster of the other clustering (O). The clusters of the
    first level are matched first; those that only the next levels have are matched to what is left.

    >>> overlap = np.array([[90, 5], [10, 40], [30, 0]])
    >>> [(c.cluster, c.other, round(c.share, 2)) for c in correspond(overlap, (0, 1, 1), (3,))]
    [(1, 0, 0.95), (2, 1, 0.8)]
    """
    found: dict[int, Counterpart] = {}
    for level in levels:
        table = united(overlap_JO, parents, level)
        taken = {c.other for c in found.values()}
        rows = [n for n in range(level) if n + 1 not in found]
        columns = [o for o in range(table.shape[1]) if o not in taken]
        for i, j in zip(*linear_sum_assignment(table[np.ix_(rows, columns)], maximize=True), strict=True):
            row, column = rows[i], columns[j]
            common = table[row, column]
            share = float(common / max(1, table[row].sum()))
            other_share = float(common / max(1, table[:, column].sum()))
            if common and max(share, other_share) >= MAJORITY:
                found[row + 1] = Counterpart(row + 1, column, share, other_share)
    return tuple(found[number] for number in sorted(found))


def united(overlap_JO: Array, parents: Sequence[int], level: int) -> Array:
    """Tiles of each cluster of a level in each cluster of the other clustering (level, O), int64.

    >>> united(np.array([[90, 5], [10, 40], [30, 0]]), (0, 1, 1), 2).tolist()
    [[120, 5], [10, 40]]
    """
    table = np.zeros((level, overlap_JO.shape[1]), np.int64)
    np.add.at(table, number_at(parents, level) - 1, overlap_JO)
    return table

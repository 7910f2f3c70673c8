"""Bound clusters: clusters that lie almost wholly on one slide, stain or scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BOUND_SHARE = 0.9
"""Least share of a bound cluster's tiles that lies on the one slide, stain or scanner."""
MAX_PREVALENCE = 0.5
"""Largest share of all tiles that this slide, stain or scanner may hold: one with most of the tiles proves nothing."""
MIN_TILES = 20
"""Fewest tiles of a cluster that is looked at."""


@dataclass(frozen=True, slots=True)
class BoundCluster:
    """A cluster that lies almost wholly on one value of a column."""

    cluster: int
    """Counted from 1."""
    column: str
    value: str
    share: float
    """Share of the cluster's tiles on this value."""
    prevalence: float
    """Share of all tiles on this value."""


def bound_clusters(counts: Array, columns: Mapping[str, Sequence[str]]) -> tuple[BoundCluster, ...]:
    """Clusters bound to one value, in the order of clusters, then of columns; `counts` are tiles (cluster, slide).

    Slides without a value ("") count in the shares and are no value themselves.

    >>> [bound] = bound_clusters(np.array([[90, 10], [1, 60]]), {"stain": ("HE", "CD31")})
    >>> bound.cluster, bound.value, round(bound.share, 2), round(bound.prevalence, 2)
    (2, 'CD31', 0.98, 0.43)
    """
    found = []
    named = {column: _tiles_by_value(counts, values) for column, values in columns.items()}
    totals = counts.sum(1)
    for cluster, total in enumerate(totals, 1):
        for column, (names, tiles) in named.items():
            shares = tiles[cluster - 1] / max(total, 1)
            prevalences = tiles.sum(0) / max(totals.sum(), 1)
            for i in np.flatnonzero((shares >= BOUND_SHARE) & (prevalences <= MAX_PREVALENCE) & (total >= MIN_TILES)):
                found.append(BoundCluster(cluster, column, names[i], float(shares[i]), float(prevalences[i])))
    return tuple(found)


def _tiles_by_value(counts: Array, values: Sequence[str]) -> tuple[list[str], Array]:
    """(values that a column holds, in the order of slides; tiles (cluster, value))."""
    names = list(dict.fromkeys(value for value in values if value))
    place = {name: i for i, name in enumerate(names)}
    has_value = np.array([bool(value) for value in values], bool)
    tiles = np.zeros((len(names), len(counts)), counts.dtype)
    np.add.at(tiles, [place[value] for value in values if value], counts.T[has_value])
    return names, tiles.T

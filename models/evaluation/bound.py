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
    for cluster, tiles in enumerate(counts, 1):
        for column, values in columns.items():
            for value in dict.fromkeys(v for v in values if v):
                here = np.array([v == value for v in values])
                share = float(tiles[here].sum() / max(tiles.sum(), 1))
                prevalence = float(counts[:, here].sum() / max(counts.sum(), 1))
                if tiles.sum() >= MIN_TILES and share >= BOUND_SHARE and prevalence <= MAX_PREVALENCE:
                    found.append(BoundCluster(cluster, column, value, share, prevalence))
    return tuple(found)

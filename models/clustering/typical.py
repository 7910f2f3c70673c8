"""Typical members: the points that show a cluster: central ones, random ones, and ones on its border.

```text
 o   c   x | y     c nearest the centre, x nearest the border: the plane midway between the nearest centre of the cluster
 1         |  2    and the nearest one of all other clusters
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .distances import squared_gaps

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FinePoints:
    """Points with the fine cluster of each, and what decides which of them are shown."""

    points: Array
    """Standardised embeddings, float64 (N, F)."""
    fine: Array
    """Fine cluster of each point, from 0, int64 (N,)."""
    turn: Array
    """Points of a lower turn are shown before all others, int (N,)."""
    key: Array
    """A random number of each point (N,): those with the smallest are a random sample of any group."""
    centres: Array
    """Mean of each fine cluster's points (J, F); infinitely far where it has none."""
    gaps: Array
    """Squared distance of each point to each centre (N, J)."""

    @classmethod
    def of(cls, embeddings_NF: Array, fine_N: Array, turn_N: Array, fine_clusters: int, seed: int) -> FinePoints:
        """Points of embeddings, which are standardised; fine clusters are counted from 0."""
        values = np.asarray(embeddings_NF, np.float64)
        points = (values - values.mean(0)) / np.maximum(values.std(0), 1e-9) if len(values) else values
        centres = np.full((fine_clusters, points.shape[1]), 1e9)
        for index in np.unique(fine_N):
            centres[index] = points[fine_N == index].mean(0)
        key = np.random.default_rng([seed, 6]).permutation(len(points))
        return cls(points, fine_N, turn_N, key, centres, squared_gaps(points, centres))

    def central(self, members: Array, most: int) -> Array:
        """Rows of the points nearest to the mean of all members, nearest first; `members` are rows."""
        distance = np.square(self.points[members] - self.points[members].mean(0)).sum(1)
        return self._first(members, distance, most)

    def random(self, members: Array, most: int) -> Array:
        """Rows of a random sample of the members, by key."""
        return self._first(members, self.key[members], most)

    def border(self, group: Sequence[int], most: int) -> tuple[Array, Array]:
        """(rows of the points of a group of fine clusters that are nearest to its border, fine cluster beyond it).

        The distance to the border is that to the plane midway between the two nearest centres, inside and outside the group.
        """
        inside = np.isin(np.arange(len(self.centres)), group)
        members = np.flatnonzero(inside[self.fine])
        if not len(members) or inside.all():
            return members[:0], members[:0]
        own = np.where(inside, self.gaps[members], np.inf)
        other = np.where(inside, np.inf, self.gaps[members])
        near, beyond = own.argmin(1), other.argmin(1)
        width = np.sqrt(np.square(self.centres[near] - self.centres[beyond]).sum(1))
        distance = np.abs(other.min(1) - own.min(1)) / np.maximum(2 * width, 1e-9)
        rows = self._first(np.arange(len(members)), distance, most, self.turn[members])
        return members[rows], beyond[rows]

    def _first(self, members: Array, value: Array, most: int, turn: Array | None = None) -> Array:
        """The members with the smallest values, those of a lower turn first."""
        turn = self.turn[members] if turn is None else turn
        return np.asarray(members[np.lexsort((value, turn))[:most]])

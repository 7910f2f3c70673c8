"""Index: nearest neighbours of embeddings, exactly by matrix products, or approximately by inverted lists of known recall.

A search leaves out the query's own group (its subject or slide), so groups are part of the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SCORES_PER_BLOCK = 1 << 21
"""Scores of one matrix product: 8 MB, about the cache of a processor."""
QUERIES_AT_ONCE = 256
"""Queries in one matrix product."""
EXACT_ROWS_AT_ONCE = 1 << 16
"""Rows whose float64 distances are computed in one step."""
UNDERFLOW_BOUND = 1e-36
"""Bound on the underflow of products of float32 numbers."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of each query, nearest first; ties in order of row."""

    rows: Array
    """int64 (Q, k); -1 beyond the last neighbour."""
    distances: Array
    """float64 (Q, k), Euclidean; infinite beyond the last neighbour."""


class Index(Protocol):
    """A nearest-neighbour search over fixed rows."""

    @property
    def recall(self) -> float:
        """Share of the ten true nearest neighbours that the search finds; 1 for an exact search."""
        ...

    def nearest(self, queries_QF: Array, k: int, without_Q: Array | None = None) -> Neighbours:
        """The `k` nearest rows of each query, without rows of the group `without_Q` (-1: no group is left out)."""
        ...


class ExactIndex:
    """Exact search over all rows.

    A float32 product, block by block, bounds each distance from below and above, rounding included. Rows that may be among
    the nearest get float64 distances. The result equals a plain loop in float64 to the bit, ties included.

    >>> ExactIndex(np.array([[0.0], [3.0], [1.0]]), np.arange(3)).nearest(np.array([[1.0]]), 2).rows.tolist()
    [[2, 0]]
    """

    recall = 1.0

    def __init__(self, embeddings_NF: Array, groups_N: Array) -> None:
        self.embeddings, self.groups = np.ascontiguousarray(embeddings_NF, np.float32), np.asarray(groups_N)
        squares = np.concatenate(
            [_squares(p) for p in np.array_split(self.embeddings, len(embeddings_NF) // EXACT_ROWS_AT_ONCE + 1)]
        )
        if not np.all(squares < 1e36):
            raise ValueError("embeddings must be finite and below 1e18: distances between larger ones overflow")
        self._rounding = 4 * (self.embeddings.shape[1] + 8) * 2.0**-24
        """Twice the rounding error of |x|^2 - 2 x.q in float32, relative to |x|^2 + |q|^2."""
        self._errors = squares * self._rounding
        self._low = (squares - self._errors).astype(np.float32)

    def nearest(self, queries_QF: Array, k: int, without_Q: Array | None = None) -> Neighbours:
        queries = np.ascontiguousarray(queries_QF, np.float32)
        without = np.full(len(queries), -1) if without_Q is None else np.asarray(without_Q)
        near = [
            self._some(queries[i : i + QUERIES_AT_ONCE], k, without[i : i + QUERIES_AT_ONCE])
            for i in range(0, len(queries), QUERIES_AT_ONCE)
        ]
        none = Neighbours(np.zeros((0, k), np.int64), np.zeros((0, k)))
        return Neighbours(*(np.concatenate([getattr(n, f) for n in (none, *near)]) for f in ("rows", "distances")))

    def _some(self, queries: Array, k: int, without: Array) -> Neighbours:
        candidates = _Candidates(self, queries, k, without)
        step = max(1, SCORES_PER_BLOCK // len(queries))
        for at in range(0, len(self.embeddings), step):
            candidates.look(at, min(len(self.embeddings), at + step))
        return candidates.near()


class _Candidates:
    """Candidates for the nearest rows of some queries: a growing table of (query, row, lower and upper bound of distance)."""

    def __init__(self, index: ExactIndex, queries: Array, k: int, without: Array) -> None:
        self.index, self.queries, self.k, self.without = index, queries, k, without
        squares = _squares(queries)
        error = squares * index._rounding + UNDERFLOW_BOUND
        self._shift, self._error = squares - error, error
        self._doubled = -2 * queries
        self._limit = np.full(len(queries), np.inf)
        """Squared distance of each query within which at least k rows certainly lie."""
        self.query: Array = np.zeros(0, np.int64)
        self.row: Array = np.zeros(0, np.int64)
        self.lower: Array = np.zeros(0)
        self.upper: Array = np.zeros(0)

    def look(self, at: int, end: int) -> None:
        """Add candidates among rows `at` to `end`. The first slices are short: no limit on the distance is known yet."""
        embeddings = self.index.embeddings[at:end]
        scores = (embeddings @ self._doubled[0])[None] if len(self.queries) == 1 else self._doubled @ embeddings.T
        scores += self.index._low[at:end]
        first, size = 0, 8 * self.k if at == 0 else end - at
        while first < end - at:
            self._screen(scores[:, first : first + size], at + first)
            first, size = first + size, 2 * size

    def _screen(self, scores: Array, at: int) -> None:
        """Add the rows whose lower bound is within the limit of their query."""
        mask = scores <= (self._limit - self._shift).astype(np.float32)[:, None]
        query, row = np.divmod(np.flatnonzero(mask), scores.shape[1])
        selection = self.index.groups[row + at] != self.without[query]
        query, row = query[selection], row[selection]
        lower = scores[query, row] + self._shift[query]
        row += at
        upper = lower + 2 * (self.index._errors[row] + self._error[query])
        self._take(query, row, lower, upper)
        if len(self.row) > 16 * self.k * len(self.queries) + EXACT_ROWS_AT_ONCE:  # nearly all rows are equally far
            self._settle()

    def _take(self, query: Array, row: Array, lower: Array, upper: Array) -> None:
        self.query, self.row = np.concatenate([self.query, query]), np.concatenate([self.row, row])
        self.lower, self.upper = np.concatenate([self.lower, lower]), np.concatenate([self.upper, upper])
        order = np.lexsort((self.upper, self.query))
        starts = np.searchsorted(self.query[order], np.arange(len(self.queries) + 1))
        full_queries = np.flatnonzero(np.diff(starts) >= self.k)
        self._limit[full_queries] = self.upper[order[starts[full_queries] + self.k - 1]]
        self._only(self.lower <= self._limit[self.query])

    def _only(self, selection: Array) -> None:
        self.query, self.row, self.lower, self.upper = (
            self.query[selection],
            self.row[selection],
            self.lower[selection],
            self.upper[selection],
        )

    def _settle(self) -> None:
        """Compute float64 distances of the candidates and keep the k nearest of each query."""
        exact = squared_distances(self.index.embeddings, self.queries, self.row, self.query)
        order = np.lexsort((self.row, exact, self.query))
        rank = _ranks(self.query[order])
        self.lower = self.upper = exact
        self._only(order[rank < self.k])

    def near(self) -> Neighbours:
        self._settle()
        rows = np.full((len(self.queries), self.k), -1, np.int64)
        distances = np.full(rows.shape, np.inf)
        place = self.query, _ranks(self.query)
        rows[place], distances[place] = self.row, np.sqrt(self.lower)
        return Neighbours(rows, distances)


def squared_distances(embeddings_NF: Array, queries_QF: Array, rows: Array, which: Array) -> Array:
    """Squared distances of pairs (row of `embeddings_NF`, query `which`), float64 (pairs,)."""
    out = np.empty(len(rows))
    for at in range(0, len(rows), EXACT_ROWS_AT_ONCE):
        part = slice(at, at + EXACT_ROWS_AT_ONCE)
        out[part] = _squares(embeddings_NF[rows[part]].astype(np.float64) - queries_QF[which[part]])
    return out


def merge_neighbours(parts: list[tuple[Neighbours, int]], k: int) -> Neighbours:
    """Nearest neighbours over all parts, merged; each part comes with the number of its first row. Ties in order of row."""
    rows = np.concatenate([np.where(part.rows < 0, -1, part.rows + offset) for part, offset in parts], 1)
    distances = np.concatenate([part.distances for part, _ in parts], 1)
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return Neighbours(np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1))


def _squares(values: Array) -> Array:
    """Squared Euclidean lengths of rows, float64."""
    wide = np.asarray(values, np.float64)
    out: Array = np.square(wide).sum(1)
    return out


def _ranks(sorted_: Array) -> Array:
    """Rank of each entry, from 0, among equal entries of a sorted array.

    >>> _ranks(np.array([0, 0, 2, 2, 2])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(len(sorted_)) - np.searchsorted(sorted_, sorted_)

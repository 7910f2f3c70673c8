"""Inverted lists (faiss): approximate search in the k-means cells nearest to a query; recall is measured when it is built.

Used above a million rows, and needs the extra `search`. Without faiss, or where the recall stays too low, the search is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .index import Array, ExactIndex, Index, Neighbours, squared_distances

MIN_LIST_ROWS = 1_000_000
"""Lists are built above this number of rows; below it an exact search takes under a tenth of a second."""
TARGET_RECALL = 0.95
"""Recall that the lists must reach; the number of probed lists is doubled until they do."""
RECALL_QUERIES = 200
"""Rows whose neighbours are searched both exactly and in the lists, to measure the recall."""
MIN_LISTS_PER_PROBE = 8
"""At most one list in this many is probed: with more, the exact search is as fast."""


@dataclass(frozen=True, slots=True)
class InvertedLists:
    """k-means cells of the embeddings; a search reads the `probes` cells nearest to the query."""

    exact: ExactIndex
    faiss: Any
    probes: int
    recall: float

    def nearest(self, queries_QF: Array, k: int, without_Q: Array | None = None) -> Neighbours:
        queries = np.ascontiguousarray(queries_QF, np.float32)
        without = np.full(len(queries), -1) if without_Q is None else np.asarray(without_Q)
        out = Neighbours(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), np.inf))
        for group in np.unique(without):
            which = np.flatnonzero(without == group)
            rows = self._rows(queries[which], k, int(group))
            query, place = np.nonzero(rows >= 0)
            distances = np.full(rows.shape, np.inf)
            distances[query, place] = squared_distances(
                self.exact.embeddings, queries[which], rows[query, place], query
            )
            order = np.lexsort((rows, distances), axis=1)
            out.rows[which] = np.take_along_axis(rows, order, 1)
            out.distances[which] = np.sqrt(np.take_along_axis(distances, order, 1))
        return out

    def _rows(self, queries: Array, k: int, group: int) -> Array:
        """Rows found by faiss; the probes double until k rows of other groups are found or every list was read."""
        import faiss

        bitmap = np.packbits(self.exact.groups != group, bitorder="little")
        selector = faiss.IDSelectorBitmap(bitmap) if group >= 0 else None
        probes = self.probes
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
            _, rows = self.faiss.search(queries, k, params=parameters)
            if probes >= self.faiss.nlist or np.all(rows >= 0):
                return np.asarray(rows, np.int64)
            probes *= 2

    def bytes(self) -> Array:
        """The serialised faiss index, uint8, as `restore_index` reads it."""
        import faiss

        return np.asarray(faiss.serialize_index(self.faiss))


def build_index(embeddings_NF: Array, groups_N: Array, *, seed: int = 0) -> Index:
    """The index of these rows: inverted lists above `MIN_LIST_ROWS` rows if their recall suffices, else exact."""
    exact = ExactIndex(embeddings_NF, groups_N)
    if len(embeddings_NF) <= MIN_LIST_ROWS or not faiss_available():
        return exact
    generator = np.random.default_rng(seed)
    lists = _trained(exact.embeddings, generator)
    sample = np.sort(generator.choice(len(embeddings_NF), RECALL_QUERIES, replace=False))
    queries, without = exact.embeddings[sample], exact.groups[sample]
    tenth_distances = exact.nearest(queries, 10, without).distances[:, -1:]
    probes = 1
    while probes * MIN_LISTS_PER_PROBE <= lists.nlist:
        neighbours = InvertedLists(exact, lists, probes, 0.0).nearest(queries, 10, without)
        recall = float(np.mean((neighbours.distances <= tenth_distances) & (neighbours.rows >= 0)))
        if recall >= TARGET_RECALL:
            return InvertedLists(exact, lists, probes, recall)
        probes *= 2
    return exact


def restore_index(embeddings_NF: Array, groups_N: Array, kept: Array, *, probes: int, recall: float) -> Index:
    """Inverted lists from their serialised form; an exact index where faiss is not installed."""
    exact = ExactIndex(embeddings_NF, groups_N)
    if not faiss_available():
        return exact
    import faiss

    return InvertedLists(exact, faiss.deserialize_index(np.asarray(kept)), probes, recall)


def faiss_available() -> bool:
    from importlib.util import find_spec

    return find_spec("faiss") is not None


def _trained(embeddings_NF: Array, generator: np.random.Generator) -> Any:
    """A faiss index: k-means cells of a sample, filled with all embeddings."""
    import faiss

    count = max(1, 2 * int(len(embeddings_NF) ** 0.5))
    sample = np.sort(generator.choice(len(embeddings_NF), min(len(embeddings_NF), 64 * count), replace=False))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(embeddings_NF.shape[1]), embeddings_NF.shape[1], count)
    index.cp.seed, index.cp.niter = int(generator.integers(1 << 30)), 10
    index.train(embeddings_NF[sample])
    index.add(embeddings_NF)
    return index

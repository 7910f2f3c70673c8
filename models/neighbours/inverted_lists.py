"""Inverted lists: a search that looks only where neighbours are likely, by faiss, with its recall measured when it is built.

It is for more than a million rows and wants the extra `search`; without it, or where it would find too little, the exact
search answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .index import Array, ExactIndex, Index, Neighbours, squared_distances

MIN_LIST_ROWS = 1_000_000
"""Rows from above which lists are tried: below, the exact search takes less than a tenth of a second."""
TARGET_RECALL = 0.95
"""Recall that is asked for: lists are looked into until it is reached."""
RECALL_QUERIES = 200
"""Rows whose neighbours are looked up both ways, to measure the recall."""
MIN_LISTS_PER_PROBE = 8
"""One list in so many is looked into at most: with more of them the exact search is as quick."""


@dataclass(frozen=True, slots=True)
class InvertedLists:
    """The k-means cells of the codes, of which only the `probes` nearest to the query are looked into."""

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
        """Rows that faiss finds; where the lists hold fewer than k of other groups, twice as many lists are looked into."""
        import faiss

        allowed = np.packbits(self.exact.groups != group, bitorder="little")
        only = faiss.IDSelectorBitmap(allowed) if group >= 0 else None
        probes = self.probes
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=only)
            _, rows = self.faiss.search(queries, k, params=parameters)
            if probes >= self.faiss.nlist or np.all(rows >= 0):
                return np.asarray(rows, np.int64)
            probes *= 2

    def bytes(self) -> Array:
        """What `restored` takes, uint8."""
        import faiss

        return np.asarray(faiss.serialize_index(self.faiss))


def build_index(embeddings_NF: Array, groups_N: Array, *, seed: int = 0) -> Index:
    """The index for so many rows: exact, or lists where there are more than `LARGE` and they find enough."""
    exact = ExactIndex(embeddings_NF, groups_N)
    if len(embeddings_NF) <= MIN_LIST_ROWS or not faiss_available():
        return exact
    generator = np.random.default_rng(seed)
    empty = _trained(exact.embeddings, generator)
    sample = np.sort(generator.choice(len(embeddings_NF), RECALL_QUERIES, replace=False))
    queries, without = exact.embeddings[sample], exact.groups[sample]
    true = exact.nearest(queries, 10, without).distances[:, -1:]
    probes = 1
    while probes * MIN_LISTS_PER_PROBE <= empty.nlist:
        neighbours = InvertedLists(exact, empty, probes, 0.0).nearest(queries, 10, without)
        recall = float(np.mean((neighbours.distances <= true) & (neighbours.rows >= 0)))
        if recall >= TARGET_RECALL:
            return InvertedLists(exact, empty, probes, recall)
        probes *= 2
    return exact


def restore_index(embeddings_NF: Array, groups_N: Array, kept: Array, *, probes: int, recall: float) -> Index:
    """Lists that were built before. Where faiss is not there (any more), the exact search."""
    exact = ExactIndex(embeddings_NF, groups_N)
    if not faiss_available():
        return exact
    import faiss

    return InvertedLists(exact, faiss.deserialize_index(np.asarray(kept)), probes, recall)


def faiss_available() -> bool:
    from importlib.util import find_spec

    return find_spec("faiss") is not None


def _trained(embeddings_NF: Array, generator: np.random.Generator) -> Any:
    """Cells by k-means of a sample, all codes sorted into them."""
    import faiss

    count = max(1, 2 * int(len(embeddings_NF) ** 0.5))
    sample = np.sort(generator.choice(len(embeddings_NF), min(len(embeddings_NF), 64 * count), replace=False))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(embeddings_NF.shape[1]), embeddings_NF.shape[1], count)
    index.cp.seed, index.cp.niter = int(generator.integers(1 << 30)), 10
    index.train(embeddings_NF[sample])
    index.add(embeddings_NF)
    return index

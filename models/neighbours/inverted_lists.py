"""Inverted lists: a search that looks only where neighbours are likely, by faiss, with its recall measured when it is built.

It is for more than a million rows and wants the extra `search`; without it, or where it would find too little, the exact
search answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .index import Array, Exact, Index, Near, squared

LARGE = 1_000_000
"""Rows from above which lists are tried: below, the exact search takes less than a tenth of a second."""
TARGET = 0.95
"""Recall that is asked for: lists are looked into until it is reached."""
ASKED = 200
"""Rows whose neighbours are looked up both ways, to measure the recall."""
WIDEST = 8
"""One list in so many is looked into at most: with more of them the exact search is as quick."""


@dataclass(frozen=True, slots=True)
class Lists:
    """The k-means cells of the codes, of which only the `probes` nearest to the query are looked into."""

    exact: Exact
    faiss: Any
    probes: int
    recall: float

    def nearest(self, queries_QF: Array, k: int, without_Q: Array | None = None) -> Near:
        queries = np.ascontiguousarray(queries_QF, np.float32)
        without = np.full(len(queries), -1) if without_Q is None else np.asarray(without_Q)
        out = Near(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), np.inf))
        for group in np.unique(without):
            which = np.flatnonzero(without == group)
            rows = self._rows(queries[which], k, int(group))
            query, place = np.nonzero(rows >= 0)
            found = np.full(rows.shape, np.inf)
            found[query, place] = squared(self.exact.codes, queries[which], rows[query, place], query)
            order = np.lexsort((rows, found), axis=1)
            out.rows[which] = np.take_along_axis(rows, order, 1)
            out.distances[which] = np.sqrt(np.take_along_axis(found, order, 1))
        return out

    def _rows(self, queries: Array, k: int, group: int) -> Array:
        """Rows that faiss finds; where the lists hold fewer than k of other groups, twice as many lists are looked into."""
        import faiss

        allowed = np.packbits(self.exact.groups != group, bitorder="little")
        only = faiss.IDSelectorBitmap(allowed) if group >= 0 else None
        probes = self.probes
        while True:
            how = faiss.SearchParametersIVF(nprobe=probes, sel=only)
            _, rows = self.faiss.search(queries, k, params=how)
            if probes >= self.faiss.nlist or np.all(rows >= 0):
                return np.asarray(rows, np.int64)
            probes *= 2

    def bytes(self) -> Array:
        """What `restored` takes, uint8."""
        import faiss

        return np.asarray(faiss.serialize_index(self.faiss))


def built(codes_NF: Array, groups_N: Array, *, seed: int = 0) -> Index:
    """The index for so many rows: exact, or lists where there are more than `LARGE` and they find enough."""
    exact = Exact(codes_NF, groups_N)
    if len(codes_NF) <= LARGE or not available():
        return exact
    generator = np.random.default_rng(seed)
    empty = _trained(exact.codes, generator)
    asked = np.sort(generator.choice(len(codes_NF), ASKED, replace=False))
    queries, without = exact.codes[asked], exact.groups[asked]
    true = exact.nearest(queries, 10, without).distances[:, -1:]
    probes = 1
    while probes * WIDEST <= empty.nlist:
        found = Lists(exact, empty, probes, 0.0).nearest(queries, 10, without)
        recall = float(np.mean((found.distances <= true) & (found.rows >= 0)))
        if recall >= TARGET:
            return Lists(exact, empty, probes, recall)
        probes *= 2
    return exact


def restored(codes_NF: Array, groups_N: Array, kept: Array, *, probes: int, recall: float) -> Index:
    """Lists that were built before. Where faiss is not there (any more), the exact search."""
    exact = Exact(codes_NF, groups_N)
    if not available():
        return exact
    import faiss

    return Lists(exact, faiss.deserialize_index(np.asarray(kept)), probes, recall)


def available() -> bool:
    from importlib.util import find_spec

    return find_spec("faiss") is not None


def _trained(codes_NF: Array, generator: np.random.Generator) -> Any:
    """Cells by k-means of a sample, all codes sorted into them."""
    import faiss

    count = max(1, 2 * int(len(codes_NF) ** 0.5))
    sample = np.sort(generator.choice(len(codes_NF), min(len(codes_NF), 64 * count), replace=False))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(codes_NF.shape[1]), codes_NF.shape[1], count)
    index.cp.seed, index.cp.niter = int(generator.integers(1 << 30)), 10
    index.train(codes_NF[sample])
    index.add(codes_NF)
    return index

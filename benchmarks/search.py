"""search: time a query among a million codes, beside a plain matrix product of numpy in the same run.

plain    numpy: `|x|^2 - 2 q.x` of all rows in one product (a hundred queries in five, for memory), then `argpartition`;
         float32, nobody left out, no exact order
exact    what a search does up to a million cases: bit for bit the answer of a loop in float64, the query's subject left out
flat     faiss `IndexFlatL2`, nobody left out
lists    what a search does above a million cases, with the recall that it measured when it was built
hnsw     faiss `IndexHNSWFlat` (M 16, 40 while it is built, 64 while it is searched), with --hnsw: it takes minutes to build

Codes lie about a curved surface of sixteen dimensions, as those of networks do: a small random network's answers to noise, and
a tenth as much noise. With --even they lie evenly in all directions, which is the hardest case there is and no network's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from tile_engine.models.neighbours import inverted_lists as lists
from tile_engine.models.neighbours.index import ExactIndex

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--even", action="store_true", help="codes without any structure")
    parser.add_argument("--hnsw", action="store_true")
    given = parser.parse_args()
    codes, groups = drawn(given.rows, given.features, even=given.even)
    queries, without = codes[:1000:10] + np.float32(0.01), groups[:1000:10]
    exact, began = ExactIndex(codes, groups), time.perf_counter()
    lists.MIN_LIST_ROWS = 0  # also for fewer rows, to see what would come of it
    found = lists.build_index(codes, groups)
    print(f"lists built in {time.perf_counter() - began:.0f} s: {told(found)}")
    work: dict[str, Callable[[Any, Any], Any]] = {
        "plain": lambda q, w: plain(codes, exact._low, q),
        "exact": lambda q, w: exact.nearest(q, K, w).rows,
        "flat": flat(codes),
    }
    if isinstance(found, lists.InvertedLists):
        work["lists"] = lambda q, w: found.nearest(q, K, w).rows
    if given.hnsw:
        work["hnsw"] = hnsw(codes)
    table(work, queries, without, given)
    true = exact.nearest(queries, K).rows
    for name, nobody in (("flat", True), ("hnsw", True)):
        if name in work and nobody:
            print(f"{name}: recall@{K} {share(work[name](queries, without), true):.4f} against exact")
    if isinstance(found, lists.InvertedLists):
        mine, ours = found.nearest(queries, K, without).rows, exact.nearest(queries, K, without).rows
        print(f"lists: recall@{K} {share(mine, ours):.4f} against exact, on these {len(queries)} queries")


def drawn(rows: int, features: int, *, even: bool) -> tuple[Any, Any]:
    """Codes, and of which of a tenth as many subjects each is."""
    generator = np.random.default_rng(0)
    codes = generator.standard_normal((rows, features), dtype=np.float32)
    if not even:
        first, second = generator.standard_normal((16, 64)) / 4, generator.standard_normal((64, features)) / 8
        for at in range(0, rows, 65_536):
            part = slice(at, at + 65_536)
            surface = np.tanh(2 * codes[part, :16] @ first.astype(np.float32)) @ second.astype(np.float32)
            codes[part] = codes[part] * np.float32(0.1) * surface.std() + surface
    return codes, generator.integers(0, max(1, rows // 10), rows)


def plain(codes: Any, squares: Any, queries: Any) -> Any:
    out = []
    for at in range(0, len(queries), 20):
        scores = squares - 2 * (queries[at : at + 20] @ codes.T)
        out.append(np.argpartition(scores, K, axis=1)[:, :K])
    return np.concatenate(out)


def flat(codes: Any) -> Callable[[Any, Any], Any]:
    import faiss

    index = faiss.IndexFlatL2(codes.shape[1])
    index.add(codes)
    return lambda q, w: index.search(q, K)[1]


def hnsw(codes: Any) -> Callable[[Any, Any], Any]:
    import faiss

    index = faiss.IndexHNSWFlat(codes.shape[1], 16)
    index.hnsw.efConstruction, index.hnsw.efSearch = 40, 64
    began = time.perf_counter()
    index.add(codes)
    print(f"hnsw built in {time.perf_counter() - began:.0f} s")
    return lambda q, w: index.search(q, K)[1]


def table(work: dict[str, Callable[[Any, Any], Any]], queries: Any, without: Any, given: Any) -> None:
    """Medians of rounds in which all take their turn, so that a slow moment of the machine meets all of them."""
    print(
        f"{given.rows} codes of {given.features} numbers, k = {K}; milliseconds a query, median of {given.repeat} rounds"
    )
    print(f"{'':<8}{'one query':>12}{'of plain':>10}{'of a hundred':>14}{'of plain':>10}")
    one: dict[str, list[float]] = {name: [] for name in work}
    many: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(given.repeat):
        for name, search in work.items():
            one[name].append(timed(search, queries[turn : turn + 1], without[turn : turn + 1]))
            many[name].append(timed(search, queries, without) / len(queries))
    for name in work:
        a, b = (1e3 * median(m[name]) for m in (one, many))
        first, second = (median(m[name]) / median(m["plain"]) for m in (one, many))
        print(f"{name:<8}{a:>12.2f}{first:>10.2f}{b:>14.2f}{second:>10.2f}")


def timed(search: Callable[[Any, Any], Any], queries: Any, without: Any) -> float:
    began = time.perf_counter()
    search(queries, without)
    return time.perf_counter() - began


def share(found: Any, true: Any) -> float:
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, true, strict=True)]))


def told(found: Any) -> str:
    if not isinstance(found, lists.InvertedLists):
        return f"none finds {lists.TARGET_RECALL:.0%} in an eighth of the lists, so the search stays exact"
    return f"{found.faiss.nlist} lists, {found.probes} are looked into, recall@{K} {found.recall:.4f}"


if __name__ == "__main__":
    sys.exit(main())

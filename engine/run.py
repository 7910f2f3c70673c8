"""run: do what a plan says, unit by unit. A unit reads its block once, cuts every tile from memory, writes whole shards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..stores.array import Written
from ..stores.frame import Array, Box
from ..stores.slides.view import read_masked
from ..stores.source import Source
from .plan import Plan
from .tile import Tile

U = TypeVar("U")
R = TypeVar("R")
Workers = Callable[[Callable[[U], R], Iterable[U]], Iterator[R]]
"""Anything shaped like `map`: the results may come in any order."""


@dataclass(slots=True)
class Outcome:
    """What a unit leaves behind: files, where its time went, and facts that later stages need (JSON values)."""

    files: list[Written] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "compute": 0.0, "write": 0.0})
    facts: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.perf_counter() - start


def run(plan: Plan, workers: Workers[Box, Outcome] = map) -> list[Outcome]:
    """Check the plan, then do all its units with `workers`; resuming is the business of the run that keeps receipts."""
    plan.check()
    return list(workers(lambda unit: execute(plan, unit), plan.units()))


def execute(plan: Plan, unit: Box) -> Outcome:
    """One unit: every cell of its layers is written, the cells of tiles that the sampler left out as zero.

    Tiles whose pixels cannot be decoded are masked: they stay zero and are counted in `facts["masked"]`.
    """
    outcome = Outcome()
    cells = unit.coarsen(plan.model.stride)
    results = {name: np.zeros((n, *cells.shape), t) for name, (n, t) in plan.model.outputs.items()}
    tiles = list(plan.tiles(unit))
    if tiles:
        with outcome.clock("read"):
            block, corner, bad = read_block(plan.source, _around(tiles), plan.level)
        tiles, masked = _sound(tiles, bad)
        outcome.facts["masked"] = masked
        with outcome.clock("compute"):
            answers = plan.model(_batches(tiles, block, corner, plan.numerics.batch))
            done = 0
            for answer in answers:
                for i, tile in enumerate(tiles[done : done + plan.numerics.batch]):
                    _place(results, answer, i, tile=tile, plan=plan, origin=cells.start)
                done += plan.numerics.batch
    with outcome.clock("write"):
        for name, layer in plan.layers.items():
            for box in cells.cut(layer.chunks):
                inside = box.shift([-a for a in cells.start]).slices
                outcome.files += layer.write(box, results[name][(slice(None), *inside)])
    outcome.facts["tiles"] = len(tiles)
    return outcome


def read_block(source: Source, box: Box, level: int = 0) -> tuple[Array, tuple[int, ...], list[Box]]:
    """Pixels of a box that may hang over the frame, padded with background: (channel, *box.shape), its corner, and the
    boxes that could not be decoded."""
    inside = box & source.frames[level].box
    if inside == box:
        pixels, bad = read_masked(source, box, level)
        return pixels, box.start, bad
    block = np.full((source.channels, *box.shape), source.background, source.dtype)
    bad = []
    if inside.size:
        pixels, bad = read_masked(source, inside, level)
        block[(slice(None), *inside.shift([-a for a in box.start]).slices)] = pixels
    return block, box.start, bad


def _around(tiles: list[Tile]) -> Box:
    """The smallest box that holds all that the tiles read; beside sparse tissue it is far smaller than the unit."""
    starts, stops = np.array([t.read.start for t in tiles]), np.array([t.read.stop for t in tiles])
    return Box(tuple(starts.min(0).tolist()), tuple(stops.max(0).tolist()))


def _sound(tiles: list[Tile], bad: list[Box]) -> tuple[list[Tile], int]:
    kept = [t for t in tiles if not any((t.read & b).size for b in bad)] if bad else tiles
    return kept, len(tiles) - len(kept)


def _batches(tiles: list[Tile], block: Array, corner: tuple[int, ...], size: int) -> Iterator[Array]:
    """Batches in order, all of one size: the last is padded with zeros, so that its numerics are those of a full one."""
    back = [-a for a in corner]
    for at in range(0, len(tiles), size):
        some = tiles[at : at + size]
        batch = np.zeros((size, block.shape[0], *some[0].read.shape), block.dtype)
        for i, tile in enumerate(some):
            batch[i] = block[(slice(None), *tile.read.shift(back).slices)]
        yield batch


def _place(
    results: Mapping[str, Array],
    answer: Mapping[str, Array],
    i: int,
    *,
    tile: Tile,
    plan: Plan,
    origin: tuple[int, ...],
) -> None:
    """Put one tile's cells where they belong, cropped where the frame ends."""
    write = tile.write.coarsen(plan.model.stride)
    first = tile.read.grow([-h for h in plan.model.halo]).coarsen(plan.model.stride).start
    there = write.shift([-o for o in origin]).slices
    here = write.shift([-f for f in first]).slices
    for name, result in results.items():
        result[(slice(None), *there)] = answer[name][i][(slice(None), *here)]

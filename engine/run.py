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
from .block import Block
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
    sound: list[Tile] = []
    if tiles:
        around = _around(tiles)
        with outcome.clock("compute"), Block(plan.source, around, plan.level, lambda: outcome.clock("read")) as block:
            answers = plan.model(_batches(tiles, block, plan.numerics.batch, sound))
            done = 0
            for answer in answers:
                for i, tile in enumerate(sound[done : done + plan.numerics.batch]):
                    _place(results, answer, i, tile=tile, plan=plan, origin=cells.start)
                done += plan.numerics.batch
        outcome.facts["masked"] = len(tiles) - len(sound)
    with outcome.clock("write"):
        for name, layer in plan.layers.items():
            for box in cells.cut(layer.chunks):
                inside = box.shift([-a for a in cells.start]).slices
                outcome.files += layer.write(box, results[name][(slice(None), *inside)])
    outcome.facts["tiles"] = len(sound)
    return outcome


def _around(tiles: list[Tile]) -> Box:
    """The smallest box that holds all that the tiles read; beside sparse tissue it is far smaller than the unit."""
    starts, stops = np.array([t.read.start for t in tiles]), np.array([t.read.stop for t in tiles])
    return Box(tuple(starts.min(0).tolist()), tuple(stops.max(0).tolist()))


def _batches(tiles: list[Tile], block: Block, size: int, sound: list[Tile]) -> Iterator[Array]:
    """Batches in order, all of one size: the last is padded with zeros, so that its numerics are those of a full one.

    Tiles whose pixels are there are listed in `sound` as they are cut; the others are left out.
    """
    batch: Array | None = None
    filled = 0
    for tile in tiles:
        pixels = block.cut(tile.read)
        if pixels is None:
            continue
        sound.append(tile)
        if batch is None:
            batch = np.empty((size, *pixels.shape), pixels.dtype)
        batch[filled] = pixels
        filled += 1
        if filled == size:
            yield batch
            batch, filled = None, 0
    if batch is not None:
        batch[filled:] = 0
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
    there, here = [slice(None)], [slice(None)]
    sides = zip(tile.write.start, tile.write.stop, tile.read.start, plan.model.stride, plan.model.halo, strict=True)
    for (start, stop, read, step, around), corner in zip(sides, origin, strict=True):
        low, high, first = start // step, -(-stop // step), (read + around) // step
        there.append(slice(low - corner, high - corner))
        here.append(slice(low - first, high - first))
    for name, result in results.items():
        result[tuple(there)] = answer[name][i][tuple(here)]

"""Execution of a plan, unit by unit: a unit reads its block once, cuts its tiles from memory and writes whole shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from ...stores.frame import Array, Box
from ..pipeline.unit import Outcome
from .block import Block
from .plan import Plan
from .tile import Tiles

U = TypeVar("U")
R = TypeVar("R")
Workers = Callable[[Callable[[U], R], Iterable[U]], Iterator[R]]
"""A function like `map`; results may come in any order."""


def run(plan: Plan, workers: Workers[Box, Outcome] = map) -> list[Outcome]:
    """Check the plan, then do all its units with `workers`. Runs that keep receipts can resume; this function cannot."""
    plan.check()
    return list(workers(lambda unit: execute(plan, unit), plan.units()))


@dataclass(slots=True)
class BegunUnit:
    """A unit whose pixels are being read."""

    outcome: Outcome
    tiles: Tiles
    block: Block | None
    """None where it has no tile."""

    def drop(self) -> None:
        """End the reading of a unit that is not done now."""
        if self.block is not None:
            with self.block:
                pass


def begin(plan: Plan, unit: Box) -> BegunUnit:
    """Begin to read the pixels of a unit; `execute` takes them."""
    begun = BegunUnit(Outcome(), Tiles.of(plan.tiles(unit)), None)
    if len(begun.tiles):
        starts, stops = begun.tiles.starts.min(0).tolist(), begun.tiles.stops.max(0).tolist()
        read_box = Box(tuple(starts), tuple(stops))  # at little tissue far smaller than the unit
        begun.block = Block(plan.source, read_box, plan.level, partial(begun.outcome.clock, "read"), plan.model.readers)
    return begun


def execute(plan: Plan, unit: Box, begun: BegunUnit | None = None, then: Callable[[], object] = tuple) -> Outcome:
    """Do one unit and write every cell of its layers; cells without a tile are zero.

    Cells of tiles that cannot be decoded stay zero, too; `facts["masked"]` counts these tiles. `begun`: the unit, if it was
    begun before. `then` is called when the model has the last pixels: the next unit's can be read while it computes.
    """
    begun = begun or begin(plan, unit)
    outcome, tiles = begun.outcome, begun.tiles
    cells = unit.coarsen(plan.model.stride)
    results = {name: np.zeros((n, *cells.shape), t) for name, (n, t) in plan.model.outputs.items()}
    done = 0
    if begun.block is not None:
        batches = _Batches(plan, tiles, begun.block, then)
        with outcome.clock("compute"), begun.block:
            for answer in plan.model(iter(batches)):
                batch = batches.flying.popleft()
                _put(results, answer, tiles=batch.tiles, plan=plan, origin=cells.start)
                done += len(batch.tiles)
                batches.spare.append(batch.memory)
        outcome.facts["masked"] = len(tiles) - done
    with outcome.clock("write"):
        for name, layer in plan.layers.items():
            for box in cells.cut(layer.chunks):
                slices = box.shift([-a for a in cells.start]).slices
                outcome.files += layer.write(box, results[name][(slice(None), *slices)])
    outcome.facts["tiles"] = done
    return outcome


class _Batch(NamedTuple):
    tiles: Tiles
    memory: Array
    """What its pixels were cut into."""


@dataclass(slots=True)
class _Batches:
    """A unit's batches in order, all of one size: the last is padded with zeros, so that it is computed like a full one.

    Tiles whose pixels cannot be decoded are left out.
    """

    plan: Plan
    tiles: Tiles
    block: Block
    then: Callable[[], object]
    flying: deque[_Batch] = field(default_factory=deque)
    """Batches that the model has, or whose results are not taken yet."""
    spare: list[Array] = field(default_factory=list)
    """Memory of batches whose results were taken; it is used again, as new memory has to be cleared by the kernel."""

    def __iter__(self) -> Iterator[Array]:
        tiles, size = self.tiles, self.plan.numerics.batch
        buffer = tiles[:0]
        for at in range(0, len(tiles), size):
            group = tiles[at : at + size]
            buffer = buffer.join(group[self.block.sound(group)])
            if len(buffer) >= size:
                yield self._pixels(buffer[:size])
                buffer = buffer[size:]
        if len(buffer):
            pixels = self._pixels(buffer)
            batch = np.zeros((size, *pixels.shape[1:]), pixels.dtype)
            batch[: len(buffer)] = pixels
            yield batch
        self.then()

    def _pixels(self, tiles: Tiles) -> Array:
        source = self.plan.source
        shape = (self.plan.numerics.batch, source.channels, *tiles.shape)
        memory = self.spare.pop() if self.spare else np.empty(shape, source.dtype)
        self.flying.append(_Batch(tiles, memory))
        pixels = memory[: len(tiles)]
        self.block.cut(tiles, pixels)
        return self.plan.prepare(pixels, tiles.starts)


def _put(
    results: Mapping[str, Array], answer: Mapping[str, Array], *, tiles: Tiles, plan: Plan, origin: tuple[int, ...]
) -> None:
    """Write the cells of a batch into `results`, cropped at the end of the frame."""
    step, count = np.array(plan.model.stride), len(tiles)
    corners = (tiles.starts + np.array(plan.model.halo)) // step
    low, high = tiles.writes[:, 0] // step, -(-tiles.writes[:, 1] // step)
    shape = next(iter(answer.values())).shape[2:]
    cell = np.indices(shape).reshape(len(shape), -1).T  # of a tile
    at = corners[:, None] + cell  # tile, cell, axis
    mask = ((low[:, None] <= at) & (at < high[:, None])).all(2)
    target = (slice(None), *(at[mask] - np.array(origin)).T)
    for name, result in results.items():
        values = np.moveaxis(answer[name][:count], 1, 0)
        result[target] = values.reshape(len(values), count, len(cell))[:, mask]

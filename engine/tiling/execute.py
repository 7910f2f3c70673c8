"""Execution of a plan, unit by unit: a unit reads its block once, cuts its tiles from memory and writes whole shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

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


def execute(plan: Plan, unit: Box) -> Outcome:
    """Do one unit and write every cell of its layers; cells without a tile are zero.

    Cells of tiles that cannot be decoded stay zero, too; `facts["masked"]` counts these tiles.
    """
    outcome = Outcome()
    cells = unit.coarsen(plan.model.stride)
    results = {name: np.zeros((n, *cells.shape), t) for name, (n, t) in plan.model.outputs.items()}
    tiles = Tiles.of(plan.tiles(unit))
    batch_tiles: list[Tiles] = []
    if len(tiles):
        read_box = Box(
            tuple(tiles.starts.min(0).tolist()), tuple(tiles.stops.max(0).tolist())
        )  # at little tissue far smaller than the unit
        block = Block(plan.source, read_box, plan.level, lambda: outcome.clock("read"), plan.model.readers)
        with outcome.clock("compute"), block:
            for i, answer in enumerate(plan.model(_batches(tiles, block, plan, batch_tiles))):
                _put(results, answer, tiles=batch_tiles[i], plan=plan, origin=cells.start)
        outcome.facts["masked"] = len(tiles) - sum(map(len, batch_tiles))
    with outcome.clock("write"):
        for name, layer in plan.layers.items():
            for box in cells.cut(layer.chunks):
                slices = box.shift([-a for a in cells.start]).slices
                outcome.files += layer.write(box, results[name][(slice(None), *slices)])
    outcome.facts["tiles"] = sum(map(len, batch_tiles))
    return outcome


def _batches(tiles: Tiles, block: Block, plan: Plan, batch_tiles: list[Tiles]) -> Iterator[Array]:
    """Batches in order, all of one size: the last is padded with zeros, so that it is computed like a full one.

    `batch_tiles` receives the tiles of each batch; tiles whose pixels cannot be decoded are left out.
    """
    buffer, size = tiles[:0], plan.numerics.batch
    for at in range(0, len(tiles), size):
        group = tiles[at : at + size]
        buffer = buffer.join(group[block.sound(group)])
        if len(buffer) >= size:
            batch_tiles.append(buffer[:size])
            yield plan.prepare(block.cut(batch_tiles[-1]), batch_tiles[-1].starts)
            buffer = buffer[size:]
    if len(buffer):
        batch_tiles.append(buffer)
        pixels = plan.prepare(block.cut(buffer), buffer.starts)
        batch = np.zeros((size, *pixels.shape[1:]), pixels.dtype)
        batch[: len(buffer)] = pixels
        yield batch


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

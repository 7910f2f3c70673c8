"""free: a source, a model and a layer that cost nothing, so that what is left is the engine's own.

```text
unit: 64 x 64 patches of 3 x 3 cells, one every cell      |h|w|h|      a frame 64 cells wide and as high as asked for
```
In a file of its own because the workers import it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from tile_engine.engine.tiling.execute import execute
from tile_engine.engine.tiling.plan import Plan
from tile_engine.engine.tiling.samplers import grid
from tile_engine.stores.array import Written
from tile_engine.stores.frame import Array, Box, Frame

SIDE = 64
"""Patches along a unit: 4,096 in all, as in the step `tiles`."""


@dataclass(frozen=True, slots=True)
class FreeSource:
    """Zeros, however many."""

    frames: tuple[Frame, ...]
    channels: int = 1
    dtype: str = "uint8"
    background: int = 0
    tiles: tuple[tuple[int, ...], ...] = ()

    def read(self, box: Box, level: int = 0) -> Array:
        return np.zeros((1, *box.shape), np.uint8)


@dataclass(frozen=True, slots=True)
class FreeModel:
    """The middle cell of every patch."""

    stride: tuple[int, ...] = (1, 1)
    halo: tuple[int, ...] = (1, 1)
    readers: int = 1

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        return {"middle": (1, "uint8")}

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        for batch in batches:
            yield {"middle": batch[:, :, 1:2, 1:2]}


@dataclass(frozen=True, slots=True)
class FreeLayer:
    """Keeps nothing."""

    frame: Frame
    chunks: tuple[int, ...] = (SIDE, SIDE)

    def write(self, box: Box, values: Array) -> list[Written]:
        return []


def plan_of(patches: int) -> Plan:
    """A plan of so many patches; a multiple of 64."""
    frame = Frame(("y", "x"), (patches // SIDE, SIDE), (1.0, 1.0))
    tiles = partial(grid, shape=(1, 1), halo=(1, 1))
    return Plan(FreeSource((frame,)), tiles, FreeModel(), {"middle": FreeLayer(frame)}, (SIDE, SIDE))


def patches_of(plan: Plan, unit: Box) -> int:
    """Do a unit; how many patches it had."""
    return int(execute(plan, unit).facts["tiles"])


def waiting(seconds: float, spread: float, unit: Box) -> tuple[int, str, float, float]:
    """In place of a unit: its patches, who had it, from when to when. Hundreds of workers can wait on one core."""
    from distributed import get_worker

    began = time.time()
    time.sleep(seconds * Random(unit.start[0]).uniform(1 - spread, 1 + spread))
    return unit.size, get_worker().address, began, time.time()

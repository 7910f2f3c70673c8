"""Plan: the whole computation over one image, checked before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ...errors import MachineError, SettingsError
from ...stores.frame import Array, Box
from ...stores.layer import Layer
from ...stores.source import Source
from ..compute.machine import available_memory
from .tile import Sampler


class Model(Protocol):
    """A computation on tiles. `stride` source cells along each axis become one cell of the result; `halo` cells around a tile's
    write are read with it. Results come in the order of the batches: an iterator, so that a model can prefetch. The memory of a
    batch is used again once its results were taken."""

    @property
    def stride(self) -> tuple[int, ...]: ...

    @property
    def halo(self) -> tuple[int, ...]: ...

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        """Name -> (channels, dtype) of each result."""
        ...

    @property
    def readers(self) -> int:
        """Threads that read for it: 1 for a model that works on these cores itself, more for one on a GPU."""
        ...

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        """Batches (B, C, *read) -> for each, name -> (B, F, *cells)."""
        ...


Prepare = Callable[[Array, Array], Array]
"""(pixels (tile, channel, *shape), first cell of each tile (tile, axis)) -> pixels of the same shape and type; it may write
into those that it is given."""


def unchanged(pixels: Array, starts: Array) -> Array:
    """The pixels as they are."""
    return pixels


@dataclass(frozen=True, slots=True)
class Numerics:
    """Settings that decide the last bit of a result; the plan fixes them, never the worker."""

    batch: int = 128
    """Tiles per model call; the last batch of a unit is padded."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Source, tiles, model and layers of a computation. `tiles` gives the tiles of a unit's box.

    A unit is a box of the source's frame that fills whole shards of every layer.
    """

    source: Source
    tiles: Sampler
    model: Model
    layers: Mapping[str, Layer]
    unit: tuple[int, ...]
    """Cells of the source along one unit."""
    level: int = 0
    numerics: Numerics = field(default_factory=Numerics)
    prepare: Prepare = unchanged
    """What is done to the pixels of a batch before the model sees them."""

    def units(self) -> Iterator[Box]:
        """Boxes of the source's frame, in C order; they partition it."""
        return self.source.frames[self.level].box.cut(self.unit)

    def check(self, workers: int = 1) -> None:
        """Raises SettingsError for a plan that would lose or misplace data, MachineError if it does not fit into memory."""
        if not 0 <= self.level < len(self.source.frames):
            raise SettingsError(f"there is no level {self.level}: the source has {len(self.source.frames)} levels.")
        frame = self.source.frames[self.level]
        for name in sorted(set(self.model.outputs) ^ set(self.layers)):
            raise SettingsError(
                f"{name!r} has no layer, or is no output of the model: give each output exactly one layer."
            )
        for name, layer in self.layers.items():
            expected = frame.coarsen(self.model.stride)
            if layer.frame.shape != expected.shape or not np.allclose(layer.frame.spacing, expected.spacing):
                raise SettingsError(
                    f"layer {name!r} has frame {layer.frame.shape} at {layer.frame.spacing} um, the model's stride "
                    f"{self.model.stride} gives {expected.shape} at {expected.spacing} um: results would be misplaced."
                )
            for axis, (unit, stride, chunk) in enumerate(zip(self.unit, self.model.stride, layer.chunks, strict=True)):
                if unit < frame.shape[axis] and (unit % stride or (unit // stride) % chunk):
                    raise SettingsError(
                        f"a unit writes cells [0, {unit / stride:g}) of layer {name!r} along {frame.axes[axis]} across "
                        f"shards of {chunk}: two workers could write one shard at once, which loses data silently. "
                        f"Use units of a multiple of {chunk * stride} cells."
                    )
        self._check_tiles()
        need = self.memory() * workers
        have = available_memory()
        if need > have:
            raise MachineError(
                f"{workers} workers need about {need / 2**20:.0f} MiB and {have / 2**20:.0f} MiB are free: "
                "the machine would swap or kill them. Use fewer workers.",
                "E_MEMORY",
            )

    def _check_tiles(self) -> None:
        """Check the first tile for all: its read box without the halo is whole cells that contain its write box."""
        tile = next(iter(self.tiles(next(self.units()))), None)
        if tile is None:
            return
        stride, halo = self.model.stride, self.model.halo
        sides = zip(tile.read.start, tile.write.start, tile.read.shape, stride, halo, strict=True)
        for axis, (read, write, length, step, around) in enumerate(sides):
            if write - read < around or (length - 2 * around) % step or write % step or (read + around) % step:
                name = self.source.frames[self.level].axes[axis]
                raise SettingsError(
                    f"a tile reads {length} cells from {read} and writes from {write} along {name}, which does not fit the "
                    f"model's halo of {around} and stride of {step}: results would land on other cells. Use tiles of a "
                    f"multiple of {step} cells with a halo of {around}."
                )

    def memory(self) -> int:
        """Peak bytes of one unit: its block, two batches, and its results."""
        size = np.dtype(self.source.dtype).itemsize * self.source.channels
        block = math.prod(u + 2 * h for u, h in zip(self.unit, self.model.halo, strict=True)) * size
        cells = math.prod(-(-u // s) for u, s in zip(self.unit, self.model.stride, strict=True))
        results = sum(n * np.dtype(t).itemsize for n, t in self.model.outputs.values()) * cells
        first = next(iter(self.tiles(next(self.units()))), None)
        batch = self.numerics.batch * (first.read.size if first else 0) * size
        return block + 2 * results + 2 * batch

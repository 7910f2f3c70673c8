"""Zarr chunks: which chunks of an array are missing, and which have a file without content.

Zarr gives the fill value for a chunk that was never written, inside a shard too, and also for an empty shard and for a folder
in the place of a file, so that pixels do not tell. A missing chunk is legal: it is *absent*. A file without content is lost.
"""

from __future__ import annotations

import itertools
import math
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..frame import Array, Box

_NONE = np.uint64(2**64 - 1)
"""Offset and length, in the index of a shard, of a chunk that it does not hold."""


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """The chunks of an array along its axes z, y and x, or some of them, and what their files say of them."""

    missing: Array
    """bool: neither a file nor a place in a shard."""
    empty: Array
    """bool: a file without content, or no file but something else."""
    size: tuple[int, ...]
    """Cells of a chunk along each axis."""

    def missing_in(self, box: Box) -> Iterator[Box]:
        """The parts of `box` in missing chunks."""
        if box.size and self.missing.any():
            grid = box.coarsen(self.size)
            for place in np.argwhere(self.missing[grid.slices]):
                start = tuple(int(a + b) for a, b in zip(place, grid.start, strict=True))
                yield Box(start, tuple(a + 1 for a in start)).refine(self.size) & box

    def any_empty(self, box: Box) -> bool:
        """Whether a chunk that `box` touches has a file without content."""
        return bool(box.size and self.empty[box.coarsen(self.size).slices].any())


def chunk_files(
    folder: Path, array: Any, axes: Sequence[str], fixed: Mapping[str, Sequence[int]], *, every: bool
) -> ChunkFiles:
    """The chunks of `array` along those of z, y and x that are not `fixed`.

    `fixed` names the cells that are read along other axes. A chunk is missing if any of these lacks it where `every` is true,
    as the colours of an RGB image are wrong then; else if all lack it: writers leave out chunks in which a marker is nowhere.
    """
    size, lengths = dict(zip(axes, array.chunks, strict=True)), dict(zip(axes, array.shape, strict=True))
    files = dict(zip(axes, array.shards or array.chunks, strict=True))
    inside = {axis: files[axis] // size[axis] for axis in axes}
    along = [axis for axis in "zyx" if axis in axes and axis not in fixed]
    others = [axis for axis in axes if axis not in along]
    chunks = [sorted({cell // size[axis] for cell in fixed[axis]}) for axis in others]
    shape = tuple(-(-lengths[axis] // size[axis]) for axis in along)
    gone, empty = [], np.zeros(shape, bool)
    for chosen in itertools.product(*chunks):
        at = dict(zip(others, chosen, strict=True))
        lacks = np.zeros(shape, bool)
        for place in np.ndindex(*(-(-n // inside[axis]) for n, axis in zip(shape, along, strict=True))):
            file = {axis: at[axis] // inside[axis] for axis in others} | dict(zip(along, place, strict=True))
            name = folder / array.metadata.encode_chunk_key(tuple(file[axis] for axis in axes))
            window = tuple(
                slice(n * inside[axis], (n + 1) * inside[axis]) for n, axis in zip(place, along, strict=True)
            )
            if (there := _has_content(name)) is None:
                lacks[window] = True
            elif not there:
                empty[window] = True
            elif array.shards:
                within = tuple(at[axis] % inside[axis] if axis in at else slice(None) for axis in axes)
                held = _held(name, array, tuple(inside[axis] for axis in axes))[within]
                held = held.transpose([[axis for axis in axes if axis in along].index(axis) for axis in along])
                lacks[window] = ~held[tuple(slice(0, n) for n in lacks[window].shape)]
        gone.append(lacks)
    missing = np.any(gone, axis=0) if every else np.all(gone, axis=0)
    return ChunkFiles(missing & ~empty, empty, tuple(int(size[axis]) for axis in along))


def _has_content(file: Path) -> bool | None:
    """None where there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError:  # a file in the place of a folder, a circle of links, a failing disk
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _held(shard: Path, array: Any, shape: tuple[int, ...]) -> Array:
    """bool of `shape`: whether a shard holds each of its chunks; all where its index cannot be read, as a read says why."""
    codec = array.metadata.codecs[0]
    names = [type(one).__name__ for one in codec.index_codecs]
    if names not in (["BytesCodec"], ["BytesCodec", "Crc32cCodec"]):
        return np.ones(shape, bool)
    length = 16 * math.prod(shape)
    with shard.open("rb") as file:
        if codec.index_location.value == "end":
            file.seek(0, 2)
            file.seek(max(0, file.tell() - length - 4 * (len(names) - 1)))
        index = file.read(length)
    if len(index) < length:
        return np.ones(shape, bool)
    order = (
        "<" if codec.index_codecs[0].endian is None else {"little": "<", "big": ">"}[codec.index_codecs[0].endian.value]
    )
    places = np.frombuffer(index, f"{order}u8").reshape(*shape, 2)
    return np.asarray((places != _NONE).any(-1))

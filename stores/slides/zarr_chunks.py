"""Zarr chunks: which chunks of an array are missing, and which have a file without content.

Zarr gives the fill value for a chunk that was never written, inside a shard too, and also for an empty shard and for a folder
in the place of a file, so that pixels do not tell. A missing chunk is legal: it is *absent*. A file without content is lost.
Of a file that a disk does not give now nothing is known, and it is looked at again.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import patiently
from ..frame import Array, Box
from ..regular import open_regular
from .absent import absent_boxes
from .zarr_levels import METADATA_FILES

_NONE = np.uint64(2**64 - 1)
"""Offset and length, in the index of a shard, of a chunk that it does not hold."""
_NO_FILE = (errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
"""A file in the place of a folder, a circle of links, a folder in the place of a file."""


METADATA_NAMES = METADATA_FILES | {".zmetadata"}


def holds_chunks(folder: Path) -> bool:
    """Whether an array's folder has any file beside its metadata: an array without a chunk is its fill value everywhere."""
    return any(name not in METADATA_NAMES for _, _, names in os.walk(folder) for name in names)


class ChunkFiles:
    """The chunks of an array along its axes z, y and x, or some of them, and what their files say of them.

    Files are looked at where a box is asked for, once. `fixed` names the cells that are read along the other axes. A chunk is
    missing if any of these lacks it where `every` is true, as the colours of an RGB image are wrong then; else if all lack it:
    writers leave out chunks in which a marker is nowhere.
    """

    def __init__(
        self, folder: Path, array: Any, axes: Sequence[str], fixed: Mapping[str, Sequence[int]], *, every: bool
    ) -> None:
        self._folder, self._array, self._axes, self._every = folder, array, tuple(axes), every
        size, lengths = dict(zip(axes, array.chunks, strict=True)), dict(zip(axes, array.shape, strict=True))
        files = dict(zip(axes, array.shards or array.chunks, strict=True))
        self._inside = {axis: int(files[axis] // size[axis]) for axis in axes}
        self._along = [axis for axis in "zyx" if axis in axes and axis not in fixed]
        self._fixed = {
            axis: sorted({cell // size[axis] for cell in fixed[axis]}) for axis in axes if axis not in self._along
        }
        self.size = tuple(int(size[axis]) for axis in self._along)
        """Cells of a chunk along each axis."""
        self._file = tuple(int(files[axis]) for axis in self._along)
        shape = tuple(-(-lengths[axis] // size[axis]) for axis in self._along)
        self._missing, self._empty = np.zeros(shape, bool), np.zeros(shape, bool)
        self._seen = np.zeros(tuple(-(-lengths[axis] // files[axis]) for axis in self._along), bool)

    def missing_in(self, box: Box) -> list[Box]:
        """The parts of `box` in chunks that have neither a file nor a place in a shard."""
        self._look(box)
        if len(self.size) == 2:
            return absent_boxes(self._missing, (self.size[0], self.size[1]), box)
        if not box.size:
            return []
        grid = box.coarsen(self.size)
        places = np.argwhere(self._missing[grid.slices]) + np.array(grid.start)
        cells = (Box(tuple(map(int, place)), tuple(int(n) + 1 for n in place)) for place in places)
        return [cell.refine(self.size) & box for cell in cells]

    def lost_in(self, box: Box) -> str:
        """Why a read of `box` would give pixels that no file holds; empty where it would not: a chunk that `box` touches has a
        file without content, or something else in the place of a file, or a file that the disk does not give."""
        if failure := self._look(box):
            return f"a chunk there cannot be read: {failure}"
        if box.size and self._empty[box.coarsen(self.size).slices].any():
            return "a chunk there is a file without content"
        return ""

    def _look(self, box: Box) -> str:
        """Look at the files that were not seen; what the disk said of the last one that it did not give."""
        failure = ""
        if box.size:
            grid = box.coarsen(self._file)
            for place in np.argwhere(~self._seen[grid.slices]) + np.array(grid.start):
                at = tuple(map(int, place))
                try:
                    self._look_at(at)
                except OSError as error:
                    failure = error.strerror or type(error).__name__
                else:
                    self._seen[at] = True
        return failure

    def _look_at(self, place: tuple[int, ...]) -> None:
        """One file along the axes of the grid, for all chunks that are read along the others."""
        window = tuple(
            slice(n * self._inside[axis], (n + 1) * self._inside[axis])
            for n, axis in zip(place, self._along, strict=True)
        )
        shape, gone, empty = self._missing[window].shape, [], False
        for chosen in itertools.product(*self._fixed.values()):
            at = dict(zip(self._fixed, chosen, strict=True))
            file = {a: at[a] // self._inside[a] for a in at} | dict(zip(self._along, place, strict=True))
            name = self._folder / self._array.metadata.encode_chunk_key(tuple(file[axis] for axis in self._axes))
            there = _has_content(name)
            empty |= there is False
            if there and self._array.shards:
                held = _held(name, self._array, tuple(self._inside[axis] for axis in self._axes))
                held = held[tuple(at[axis] % self._inside[axis] if axis in at else slice(None) for axis in self._axes)]
                order = [axis for axis in self._axes if axis in self._along]
                held = held.transpose([order.index(axis) for axis in self._along])
                gone.append(~held[tuple(slice(0, n) for n in shape)])
            else:
                gone.append(np.full(shape, there is None))
        missing = np.any(gone, axis=0) if self._every else np.all(gone, axis=0)
        self._missing[window], self._empty[window] = missing & (not empty), empty


def _has_content(file: Path) -> bool | None:
    """None where there is no file. Raises OSError where the disk does not say."""
    try:
        found = patiently(file.stat)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _NO_FILE:
            return False
        raise
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _held(shard: Path, array: Any, shape: tuple[int, ...]) -> Array:
    """bool of `shape`: whether a shard holds each of its chunks; all where its index cannot be read, as a read says why."""
    codec = array.metadata.codecs[0]
    names = [type(one).__name__ for one in codec.index_codecs]
    if names not in (["BytesCodec"], ["BytesCodec", "Crc32cCodec"]):
        return np.ones(shape, bool)
    length = 16 * math.prod(shape)
    with patiently(lambda: open_regular(shard)) as file:
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

"""Zarr chunks: which chunk files of an array are missing, and which are there and hold nothing.

Zarr gives the fill value for a chunk that was never written, and also for an empty shard and for a folder in the place of a
file, so that the pixels do not tell. A missing file is legal: the chunk is *absent*. One that is there without content is lost.
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..frame import Array, Box


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """The files of an array's chunks along its axes z, y and x, or some of them, one cell a chunk; shards count as chunks."""

    missing: Array
    """bool: no file."""
    empty: Array
    """bool: a file without content, or no file but something else."""
    size: tuple[int, ...]
    """Cells of a chunk along each axis."""

    def missing_in(self, box: Box) -> Iterator[Box]:
        """The parts of `box` in missing chunks."""
        return _in(self.missing, self.size, box)

    def any_empty(self, box: Box) -> bool:
        """Whether a chunk that `box` touches has a file without content."""
        return bool(box.size and self.empty[box.coarsen(self.size).slices].any())


def chunk_files(
    folder: Path, array: Any, axes: Sequence[str], fixed: Mapping[str, Sequence[int]], *, every: bool
) -> ChunkFiles:
    """The chunk files of `array` along those of z, y and x that are not `fixed`.

    `fixed` names the cells that are read along other axes. A chunk is missing if any of these lacks it where `every` is true,
    as the colours of an RGB image are wrong then; else if all lack it: writers leave out chunks in which a marker is nowhere.
    """
    sizes = dict(zip(axes, array.shards or array.chunks, strict=True))
    lengths = dict(zip(axes, array.shape, strict=True))
    along = [axis for axis in "zyx" if axis in axes and axis not in fixed]
    counts = tuple(-(-lengths[axis] // sizes[axis]) for axis in along)
    chunks = {axis: sorted({cell // sizes[axis] for cell in cells}) for axis, cells in fixed.items() if axis in sizes}
    missing, empty = np.zeros(counts, bool), np.zeros(counts, bool)
    for place in np.ndindex(*counts):
        at = chunks | {axis: [index] for axis, index in zip(along, place, strict=True)}
        keys = (array.metadata.encode_chunk_key(index) for index in itertools.product(*(at[axis] for axis in axes)))
        states = [_state(folder / key) for key in keys]
        gone = [state is None for state in states]
        missing[place] = any(gone) if every else all(gone)
        empty[place] = any(state is False for state in states)
    return ChunkFiles(missing & ~empty, empty, tuple(int(sizes[axis]) for axis in along))


def _state(file: Path) -> bool | None:
    """Whether there is content; None where there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError:  # a file in the place of a folder, a circle of links, a failing disk
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _in(cells: Array, size: tuple[int, ...], box: Box) -> Iterator[Box]:
    if box.size and cells.any():
        grid = box.coarsen(size)
        for place in np.argwhere(cells[grid.slices]):
            start = tuple(int(a + b) for a, b in zip(place, grid.start, strict=True))
            yield Box(start, tuple(a + 1 for a in start)).refine(size) & box

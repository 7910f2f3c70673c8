"""Zarr reader: OME-Zarr images with planes along z, from any writer, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...errors import SlideError, TileError
from ..anatomy import directions_of
from ..foreign import foreign
from ..frame import Array, Box, Frame
from ..ngff import stored_affine
from ..placement import Affine
from ..slides.zarr_chunks import ChunkFiles, holds_chunks
from ..slides.zarr_levels import Levels, foreign_attributes, named, open_levels
from .voxels import VOXEL_DTYPES, Voxels, affine_of, check_cells, time_index

ZARR_VOXEL_DTYPES = (
    VOXEL_DTYPES
    | {f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)}
    | {"float16", "float32", "float64"}
)


def open_zarr(path: Path, part: str) -> Voxels:
    """Raises SlideError with a reason code."""
    levels = open_levels(path, ZARR_VOXEL_DTYPES, "real numbers of 1 to 8 bytes")
    sizes = dict(zip(levels.axes, levels.arrays[0].shape, strict=True))
    check_cells(path, [sizes[axis] for axis in "zyx" if axis in sizes], np.dtype(levels.arrays[0].dtype))
    if sizes.get("z", 1) < 2:
        raise SlideError(f"{path.name}: has one plane: it is a slide, not a volume.", "E_NOT_A_VOLUME")
    if levels.unknown_units:
        raise SlideError(
            f"{path.name}: its axes are stated in {', '.join(map(repr, levels.unknown_units))}, which is no known "
            "length. Correct the unit in its metadata.",
            "E_NGFF",
        )
    if not any(holds_chunks(path / name) for name in levels.names):
        raise SlideError(
            f"{path.name}: holds no chunk of any level, so all of it would be its fill value. Copy it again.",
            "E_TRUNCATED",
        )
    words = part.split(",") if part else []
    t = time_index(path, sizes.get("t", 1), ",".join(word for word in words if not word.startswith("c=")))
    channels = _channels(path, sizes.get("c", 1), next((word for word in words if word.startswith("c=")), ""))
    frames = tuple(_solid(frame, levels.frames[0]) for frame in levels.frames)
    affine, stated = _affine(path, frames[0])
    notes = list(levels.notes)
    if not stated:
        notes.append("it states no orientation; x, y and z are assumed to be Right, Anterior, Superior")
    if not levels.scaled:
        notes.append("its metadata state no lengths; 1 um is assumed")
    files = _ChunkFilesOf(path, levels, {"t": [t], "c": channels})
    return Voxels(
        "ome-zarr",
        frames[0].shape[::-1],
        np.dtype(levels.arrays[0].dtype),
        _cells(path, levels, files, channels),
        affine,
        channels=len(channels),
        frames=frames,
        notes=tuple(notes),
        absent=files.absent,
    )


class _ChunkFilesOf:
    """The chunk files of each level, looked at when the level is first read."""

    def __init__(self, path: Path, levels: Levels, fixed: Mapping[str, Sequence[int]]) -> None:
        self._path, self._levels, self.fixed = path, levels, fixed
        self._found: dict[int, ChunkFiles] = {}

    def of(self, level: int) -> ChunkFiles:
        if level not in self._found:
            folder, array = self._path / self._levels.names[level], self._levels.arrays[level]
            self._found[level] = ChunkFiles(folder, array, self._levels.axes, self.fixed, every=False)
        return self._found[level]

    def absent(self, at: tuple[slice, ...]) -> Iterator[tuple[slice, ...]]:
        """The parts of slices (x, y, z) of the finest level whose chunks were never written."""
        return (box.slices[::-1] for box in self.of(0).missing_in(_box(at)))


def _box(at: tuple[slice, ...]) -> Box:
    """Of axes z, y, x, of slices along x, y, z."""
    return Box(tuple(one.start for one in at[::-1]), tuple(one.stop for one in at[::-1]))


def _affine(path: Path, frame: Frame) -> tuple[Affine, bool]:
    """The affine of (x, y, z), and whether the store states its orientation: ours of oblique volumes, or RFC-4 on the axes."""
    attributes = foreign_attributes(path)
    with named(path):
        own = stored_affine(attributes)
    if own:
        return own, True
    stated = directions_of(attributes.get("ome", attributes)["multiscales"][0].get("axes", []))
    matrix = np.diag([0.0, 0.0, 0.0, 1.0])
    for i, (world, sign) in enumerate(stated or ((0, 1), (1, 1), (2, 1))):
        spacing, origin = frame.spacing[2 - i], frame.origin[2 - i]
        matrix[world, i] = sign * spacing / 1e3
        matrix[world, 3] = sign * (origin + spacing / 2) / 1e3
    return affine_of(matrix), bool(stated)


def sizes_of(path: Path) -> dict[str, int]:
    """Axis -> cells of a store's finest level; empty if it cannot be opened (opening it reports why)."""
    try:
        levels = open_levels(path, ZARR_VOXEL_DTYPES, "")
    except SlideError:
        return {}
    return dict(zip(levels.axes, map(int, levels.arrays[0].shape), strict=True))


def _channels(path: Path, count: int, part: str) -> tuple[int, ...]:
    """The channels that "c=0+2" names, all where it is empty. Raises SlideError (E_CHANNELS)."""
    if not part:
        return tuple(range(count))
    numbers = part.removeprefix("c=").split("+")
    if not all(number.isdecimal() and int(number) < count for number in numbers):
        raise SlideError(
            f"{path.name}: has {count} channels, 0 to {count - 1}, and {part!r} names others. Name them with --channels, or "
            "in a column `part` of a CSV as c=0+1.",
            "E_CHANNELS",
        )
    return tuple(int(number) for number in numbers)


def _solid(frame: Frame, finest: Frame) -> Frame:
    """The frame with axes z, y, x and an origin in the scanner's coordinates (see ngff.py)."""
    order = tuple(frame.axes.index(axis) for axis in "zyx")
    shape, spacing = (tuple(values[i] for i in order) for values in (frame.shape, frame.spacing))
    origin = tuple(round(frame.origin[i] - finest.spacing[i] / 2, 9) + 0.0 for i in order)
    return Frame(("z", "y", "x"), tuple(map(int, shape)), tuple(map(float, spacing)), origin)


def _cells(
    path: Path, levels: Levels, files: _ChunkFilesOf, channels: tuple[int, ...]
) -> Callable[[int, tuple[slice, ...]], Array]:
    """A function that reads (channel, x, y, z) of a level."""
    first, stop = min(channels), max(channels) + 1
    picked = [channel - first for channel in channels]

    def cells(level: int, at: tuple[slice, ...]) -> Array:
        from ..bounded_zarr import read_box  # zarr takes long to import

        where = {"t": files.fixed["t"][0], "c": slice(first, stop), "x": at[0], "y": at[1], "z": at[2]}
        place = f"{path.name}: level {level} cannot be read at x, y, z = {at}"
        if lost := files.of(level).lost_in(_box(at)):
            raise TileError(f"{place}: {lost}")
        with foreign(lambda why: TileError(f"{place} ({why})")):
            values = read_box(levels.arrays[level], tuple(where[axis] for axis in levels.axes))
        kept = [axis for axis in levels.axes if axis != "t"]
        if "c" not in kept:
            values, kept = values[None], ["c", *kept]
        turned = values.transpose([kept.index(axis) for axis in "cxyz"])
        return turned if picked == list(range(len(turned))) else turned[picked]

    return cells

"""Zarr reader: a foreign OME-Zarr image of one plane, as a slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import SlideError, TileError
from ..foreign import foreign
from ..frame import Array, Box, Frame
from .pixels import SlideDescription
from .spacing import FROM_FILE, Stated
from .zarr_chunks import ChunkFiles, holds_chunks
from .zarr_levels import foreign_attributes, image_folder, open_levels, series_names

SLIDE_DTYPES = frozenset({"uint8", "u1", "uint16", "u2"})


class ZarrPixels:
    """The first multiscale image of a group."""

    def __init__(self, path: Path, part: str = "") -> None:
        images = series_names(path, foreign_attributes(path))
        self._path = path = image_folder(path, part)
        levels = open_levels(path, SLIDE_DTYPES, "whole numbers of 8 or 16 bits without a sign")
        self._arrays, self._axes, self._names = levels.arrays, levels.axes, levels.names
        self._files: dict[int, ChunkFiles] = {}
        if not any(holds_chunks(path / name) for name in levels.names):
            raise SlideError(
                f"{path.name}: holds no chunk of any level, so all of it would be its fill value. Copy it again.",
                "E_TRUNCATED",
            )
        first, notes = levels.arrays[0], list(levels.notes)
        if len(images) > 1:
            notes.insert(0, f"{len(images)} images in the store; {path.name} is read; choose one with --part")
        sizes = dict(zip(levels.axes, first.shape, strict=True))
        if sizes.get("z", 1) > 1:
            raise SlideError(
                f"{path.name}: has {sizes['z']} planes along z: it is a volume, not a slide. Give it to a run on volumes.",
                "E_IS_VOLUME",
            )
        if sizes.get("t", 1) > 1:
            notes.append(f"{sizes['t']} time points; number 0 is read")
        channels = sizes.get("c", 1)
        flat = tuple(_plane(frame, (frame.axes.index("y"), frame.axes.index("x"))) for frame in levels.frames)
        spacing = flat[0].spacing
        rgb = channels == 3 and first.dtype == np.uint8
        self._described = SlideDescription(
            reader="ome-zarr",
            shapes=tuple((frame.shape[0], frame.shape[1]) for frame in flat),
            factors=tuple((f.spacing[0] / spacing[0], f.spacing[1] / spacing[1]) for f in flat),
            channels=channels,
            dtype=first.dtype.name,
            background=int(np.iinfo(first.dtype).max) if rgb else 0,
            stated=(
                (Stated(spacing[0], spacing[1], FROM_FILE),)
                if levels.scaled
                else tuple(Stated(None, None, FROM_FILE, unit) for unit in levels.unknown_units)
            ),
            notes=tuple(notes),
            tiles=tuple(
                (int(a.chunks[levels.axes.index("y")]), int(a.chunks[levels.axes.index("x")])) for a in self._arrays
            ),
            frames=flat,
        )

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        from ..bounded_zarr import read_box  # zarr takes long to import

        where = {"t": 0, "z": 0, "c": slice(None), "y": box.slices[0], "x": box.slices[1]}
        place = f"{self._path.name}: level {level} cannot be read from {box.start} to {box.stop} (y, x)"
        if lost := self._chunk_files(level).lost_in(box):
            raise TileError(f"{place}: {lost}")
        with foreign(lambda why: TileError(f"{place} ({why})")):
            pixels = read_box(self._arrays[level], tuple(where[axis] for axis in self._axes))
            kept = [axis for axis in self._axes if axis in "cyx"]
            if "c" not in kept:
                pixels, kept = pixels[None], ["c", *kept]
            return pixels.transpose([kept.index(axis) for axis in "cyx"])

    def absent(self, box: Box, level: int) -> list[Box]:
        """The parts of `box` whose chunks (or shards) were never written."""
        return self._chunk_files(level).missing_in(box)

    def _chunk_files(self, level: int) -> ChunkFiles:
        if level not in self._files:
            rgb = self._described.background > 0
            fixed = {"t": [0], "z": [0], "c": range(self._described.channels)}
            folder = self._path / self._names[level]
            self._files[level] = ChunkFiles(folder, self._arrays[level], self._axes, fixed, every=rgb)
        return self._files[level]

    def close(self) -> None:
        """Nothing stays open."""


def _plane(frame: Frame, axes: tuple[int, int]) -> Frame:
    return Frame(
        ("y", "x"),
        tuple(frame.shape[i] for i in axes),
        tuple(frame.spacing[i] for i in axes),
        tuple(frame.origin[i] for i in axes),
    )

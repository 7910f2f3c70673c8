"""slices: planes of a volume, and of what lies over it, as pictures; and a small picture of any image."""

from __future__ import annotations

import numpy as np

from ...stores.downsample import resize
from ...stores.frame import Box
from ..show.encoded import jpeg, palette_png
from .answers import Answer, Query
from .deep import eight_bit
from .grid import shown_level
from .tiles import chosen_cells, colours_of
from .viewer import Viewer

THUMBNAIL = 160
"""Pixels along a small picture."""


def picture_slice(viewer: Viewer, query: Query, run: int, image: int, picture: int) -> Answer:
    """The plane perpendicular to `axis` through the position `at` (micrometres), as JPEG; up is superior, or anterior."""
    deep = viewer.deep(run, image, picture)
    level = shown_level(deep.source.frames)
    frame = deep.source.frames[level]
    axis = query.integer("axis", most=2)
    index = cell_at(frame.origin[axis], frame.spacing[axis], frame.shape[axis], query.number("at"))

    def make() -> bytes:
        start, stop = list(frame.box.start), list(frame.box.stop)
        start[axis], stop[axis] = index, index + 1
        pixels = np.take(deep.source.read(Box(tuple(start), tuple(stop)), level), 0, axis + 1)
        return jpeg(eight_bit(pixels[:, ::-1], deep.window))

    return Answer(
        viewer.tiles.get(("slice", run, viewer.stamp(run), image, picture, axis, index), make, len), "image/jpeg"
    )


def overlay_slice(viewer: Viewer, query: Query, run: int, image: int, overlay: int) -> Answer:
    """The same of an overlay, as PNG; its cells may be coarser than the volume's."""
    frame = viewer.grid(run, image, overlay).frame
    axis = query.integer("axis", most=2)
    index = cell_at(frame.origin[axis], frame.spacing[axis], frame.shape[axis], query.number("at"))
    plane = tuple(index if i == axis else slice(None) for i in range(3))
    cells = np.ascontiguousarray(chosen_cells(viewer, query, (run, image, overlay), plane)[::-1])
    return Answer(palette_png(cells, colours_of(viewer, query, run, image, overlay)), "image/png")


def thumbnail(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """A small picture of a whole image: of a volume, its middle axial plane. JPEG."""
    return Answer(
        viewer.tiles.get(("thumbnail", run, viewer.stamp(run), image), lambda: small_picture(viewer, run, image), len),
        "image/jpeg",
    )


def small_picture(viewer: Viewer, run: int, image: int) -> bytes:
    deep = viewer.deep(run, image, 0)
    if len(deep.frame.shape) == 2:
        return jpeg(deep.tile(deep.reductions - 1, 0, 0))
    level = shown_level(deep.source.frames, THUMBNAIL)
    whole = deep.source.frames[level].box
    middle = whole.shape[0] // 2
    plane = Box((middle, *whole.start[1:]), (middle + 1, *whole.stop[1:]))
    pixels = deep.source.read(plane, level)[:, 0, ::-1]
    height, width = (n * s for n, s in zip(pixels.shape[1:], deep.source.frames[level].spacing[1:], strict=True))
    scale = THUMBNAIL / max(height, width)
    small = resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
    return jpeg(eight_bit(small, deep.window))


def cell_at(origin: float, spacing: float, count: int, at: float) -> int:
    """The cell of an axis that holds a position; the first or last one beyond the ends."""
    return min(max(int((at - origin) // spacing), 0), count - 1)

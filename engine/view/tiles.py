"""tiles: a tile of a picture as JPEG, of an overlay as PNG, and a patch: encoded once while memory lasts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...stores.downsample import resize
from ...stores.frame import Array, Box
from ..search.window import around, window
from ..show.encoded import heat_colours, jpeg, palette_png
from ..steps.settings import PatchSettings
from .answers import Answer, Query
from .deep import check_cost, eight_bit, tile_box
from .grid import Grid
from .viewed import CONFIDENCE
from .viewer import Viewer

MAX_REDUCTION = 24
"""Largest power of two by which a picture is reduced."""
MASK_COLOUR = (0, 158, 115, 160)
"""Red, green, blue, opacity of a mask."""
MAX_PATCH, NO_PATCH = 512, 128
"""Pixels along a patch, at most, and of a run that has none."""


def picture_tile(viewer: Viewer, query: Query, run: int, image: int, picture: int) -> Answer:
    """JPEG; z is the reduction, y and x the number of the tile."""
    z, y, x = query.integer("z", most=MAX_REDUCTION), query.integer("y"), query.integer("x")

    def make() -> bytes:
        return jpeg(viewer.deep(run, image, picture).tile(z, y, x))

    return Answer(viewer.tiles.get(("tile", run, viewer.stamp(run), image, picture, z, y, x), make, len), "image/jpeg")


def overlay_tile(viewer: Viewer, query: Query, run: int, image: int, overlay: int) -> Answer:
    """PNG with clear cells; k is the level of the tree, hide the numbers left out, min the confidence asked for, 0 to 1."""
    z, y, x = query.integer("z", most=MAX_REDUCTION), query.integer("y"), query.integer("x")
    whole = viewer.grid(run, image, overlay).frame.shape
    step = 2**z
    shape = -(-whole[0] // step), -(-whole[1] // step)
    box = tile_box(shape, y, x)
    rows, columns = (
        np.minimum(np.arange(a, b) * step + step // 2, n - 1)
        for a, b, n in zip(box.start, box.stop, whole, strict=True)
    )
    cells = chosen_cells(viewer, query, (run, image, overlay), np.ix_(rows, columns))
    return Answer(palette_png(cells, colours_of(viewer, query, run, image, overlay)), "image/png")


def chosen_cells(viewer: Viewer, query: Query, of: tuple[int, int, int], index: Any) -> Array:
    """Cells at an index of the grid of an overlay (run, image, overlay), uint8.

    0 where they are below the query's `min`, from 0 to 1: of clusters their confidence, of values their share of the range.
    """
    run, image, overlay = of
    cells: Array = viewer.grid(run, image, overlay).cells[index]
    least, kind = query.number("min", 0.0), viewer.overlays(run, image)[overlay].kind
    if least > 0 and kind == "values":
        return np.where(cells >= 1 + round(least * 254), cells, 0).astype(np.uint8)
    sure = confidence_of(viewer, run, image) if least > 0 and kind == "clusters" else None
    if sure is None:
        return cells
    return np.where(sure.cells[index] >= 1 + round(least * 254), cells, 0).astype(np.uint8)


def confidence_of(viewer: Viewer, run: int, image: int) -> Grid | None:
    """The confidence of an image's tiles; None where the run stores none."""
    for number, overlay in enumerate(viewer.overlays(run, image)):
        if overlay.name == CONFIDENCE:
            return viewer.grid(run, image, number)
    return None


def colours_of(viewer: Viewer, query: Query, run: int, image: int, overlay: int) -> Array:
    """Colours of an overlay's cells, uint8 (256, 4)."""
    kind = viewer.overlays(run, image)[overlay].kind
    tree = viewer.tree(run)
    if kind == "clusters" and tree is not None:
        level = query.integer("k", tree.shown)
        if level not in tree.levels:
            raise LookupError(f"the tree has no level {level}")
        return tree.colours(level, query.integers("hide"))
    if kind == "values":
        return heat_colours()
    colours = np.zeros((256, 4), np.uint8)
    colours[1] = MASK_COLOUR  # further numbers say what was lost: they stay clear
    return colours


def patch(viewer: Viewer, query: Query, run: int, image: int) -> Answer:
    """The patch around a tile's centre, as the network sees its place, in the picture `picture`: JPEG."""
    job = viewer.job(run)
    picture = query.integer("picture", 0)
    deep = viewer.deep(
        run, image, picture if picture < len(viewer.pictures(run, image)) else 0
    )  # images differ in versions
    side = min(job.settings.side if isinstance(job.settings, PatchSettings) else NO_PATCH, MAX_PATCH)
    frame = deep.frame
    if len(frame.shape) == 3:
        box = around(deep.source, query.centre(frame.axes), side)
        middle = (box.start[0] + box.stop[0]) // 2
        box = Box((middle, *box.start[1:]), (middle + 1, *box.stop[1:]))
        pixels = window(deep.source, box)[:, 0, ::-1]
    else:
        spacing = job.slides[viewer.image(run, image)].spacing[0]
        level = deep.level_of(spacing)
        scale = spacing / deep.source.frames[level].spacing[0]
        box = around(deep.source, query.centre(frame.axes), max(1, round(side * scale)), level)
        check_cost(deep.source, box)
        pixels = resize(window(deep.source, box, level)[deep.first : deep.first + 3], (side, side))
    return Answer(jpeg(eight_bit(pixels, deep.window)), "image/jpeg")

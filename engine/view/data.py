"""data: what a page without a server reads as scripts: cells of images, coloured there as tiles and slices, and the plane."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...stores.frame import Array, Frame
from ..show.encoded import heat_colours
from .deep import Deep, eight_bit
from .grid import shown_level, thinned
from .tiles import MASK_COLOUR
from .viewer import Viewer

VOXELS, MAX_VOXELS, MIN_VOXELS = 1 << 28, 1 << 22, 1 << 15
"""Voxels and cells of a run on a page, about; of one volume or overlay, at most and at least: of many, each has fewer."""


def voxels_of(grids: int) -> int:
    """Voxels of a volume or cells of an overlay, at most, where a page has so many of them.

    >>> voxels_of(3), voxels_of(1000), voxels_of(10**6)
    (4194304, 268435, 32768)
    """
    return min(MAX_VOXELS, max(MIN_VOXELS, VOXELS // max(1, grids)))


def overlay_cells(viewer: Viewer, of: tuple[int, int], overlay: int, most: int) -> tuple[Array, Frame]:
    """At most `most` cells of an overlay of an image (run, image), uint8, and their frame."""
    grid = viewer.grid(*of, overlay)
    return thinned(grid.cells, grid.frame, most)


def picture_frame(deep: Deep, most: int) -> tuple[int, Frame]:
    """(level that is read, frame of what a page has of a volume): the finest one of at most `most` voxels, or a part of the
    coarsest one's."""
    frames = deep.source.frames
    level = max(shown_level(frames), next((i for i, f in enumerate(frames) if f.box.size <= most), len(frames) - 1))
    frame = frames[level]
    while frame.box.size > most:
        frame = frame.coarsen((2,) * len(frame.shape))
    return level, frame


def picture_cells(deep: Deep, most: int) -> Array:
    """A volume as the viewer shows it, uint8 (z, y, x), on the frame of `picture_frame`."""
    level, _ = picture_frame(deep, most)
    whole = deep.source.frames[level]
    pixels = deep.source.read(whole.box, level)[deep.first : deep.first + 1]
    grey = eight_bit(pixels.reshape(1, -1, pixels.shape[-1]), deep.window[:1])[..., 0]
    return thinned(grey.reshape(pixels.shape[1:]), whole, most)[0]


def packed(cells: Array | bytes) -> str:
    """By zlib, in base64."""
    content = cells if isinstance(cells, bytes) else np.ascontiguousarray(cells).tobytes()
    return base64.b64encode(zlib.compress(content, 6)).decode()


def packed_overlays(viewer: Viewer, of: tuple[int, int], document: Mapping[str, Any], most: int) -> dict[str, str]:
    """Number of each overlay of an image -> its cells, at most `most`, uint8 by rows."""
    return {str(o["number"]): packed(overlay_cells(viewer, of, o["number"], most)[0]) for o in document["overlays"]}


def cells_script(of: tuple[int, int], cells: Mapping[str, str]) -> bytes:
    """Packed cells of the overlays of an image by their number; of a volume, those of picture N, too, as `pN`."""
    return _script(f"{of[0]}-{of[1]}", cells)


def plane_script(run: int, plane: bytes) -> bytes:
    """The plane of a run, as the server sends it."""
    return _script(f"{run}-plane", {"plane": packed(plane)})


def colours_of_page() -> dict[str, Any]:
    """Colours of values, [red, green, blue, opacity] of each of 256, and of a mask: clusters have those of the tree."""
    return {"values": heat_colours().tolist(), "mask": list(MASK_COLOUR)}


def _script(name: str, cells: Mapping[str, str]) -> bytes:
    return f'"use strict";\nTE.cells("{name}", {json.dumps(cells)});\n'.encode()

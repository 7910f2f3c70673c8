"""levels: all levels of a tree of clusters on one page: a slider over K recolours the maps of all images at once.

Each map is one small picture of numbers, the finest cluster of every cell; the tree says which number that is at any
level, and a script in the page recolours the pictures. Without scripts the page shows the level of the labels alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...stores.frame import Array
from .patch_sheet import PatchSheet
from .tile_plane import PLACED_BY

FEW_IMAGES = 20
MAX_CELLS, MAX_CELLS_OF_MANY = 800, 400
"""Cells along the longer side of a map, at most: of up to `FEW_IMAGES` images, and of more."""
MAX_LEVEL_MAPS = 60
"""Images that the slider has a map of, at most; the tiles of the others count in its table."""
MAX_MAPS_TEXT = 2_500_000
"""Characters of all maps in the page, at most: a map that takes more than its part has fewer cells."""


@dataclass(frozen=True, slots=True)
class LevelMap:
    """A picture of numbers, with the tiles of each number in it."""

    name: str
    source: str
    """PNG of one channel as a `data:` URL; 0 is no tissue."""
    width: int
    height: int
    tiles: tuple[int, ...]
    """Number at the finest level - 1 -> tiles."""
    short: str = ""
    """The name as it is shown; empty where that is the name."""


@dataclass(frozen=True, slots=True)
class LevelsView:
    """A tree of clusters, with the maps and patches that show its levels."""

    parents: tuple[int, ...]
    """Number - 1 -> the cluster that it splits from at the level of its own number; 0 for cluster 1."""
    labels: tuple[int, ...]
    """Number -> number that it is shown under: its own, or that of an old run."""
    names: tuple[str, ...]
    colours: tuple[str, ...]
    """Number - 1 -> colour as #rrggbb."""
    into: dict[int, int]
    """Number -> the number that the user merged it into, at the levels that have both."""
    shown: int
    """The level of the labels, and of the page before the slider is moved."""
    recommended: int
    """0 where no level is reproducible."""
    reproducible: tuple[int, ...]
    maps: tuple[LevelMap, ...]
    plane: LevelMap | None
    """The tiles in the plane, named by the method that placed them; None where there is none."""
    patches: PatchSheet | None
    """None where no image has a tile."""
    centres: tuple[tuple[float, ...], ...]
    """Number at the finest level - 1 -> its centre; distances between centres say which clusters are nearest."""
    beyond: int = 0
    """Images without a map."""
    tiles_beyond: tuple[int, ...] = ()
    """Number at the finest level - 1 -> tiles of these."""
    seen: str = ""
    """Which side is which on maps of volumes."""

    @property
    def data(self) -> dict[str, Any]:
        """The view as JSON values, for the page's script."""
        return asdict(self)

    @property
    def finest(self) -> int:
        return len(self.parents)


def level_map(name: str, numbers: Array, tiles: Sequence[int], images: int) -> LevelMap:
    """The map of an image from its numbers at the finest level, uint8 (y, x); of a page with so many images.

    Cells are left out at even steps until the map is small enough.
    """
    limit = MAX_CELLS if images <= FEW_IMAGES else MAX_CELLS_OF_MANY
    room = MAX_MAPS_TEXT / min(max(1, images), MAX_LEVEL_MAPS)
    step = -(-max(numbers.shape) // limit)
    while True:
        small = np.ascontiguousarray(numbers[step // 2 :: step, step // 2 :: step])
        source = _png(small)
        if len(source) <= room or max(small.shape) <= 1:
            return LevelMap(name, source, small.shape[1], small.shape[0], tuple(map(int, tiles)))
        step += max(1, step // 4)


def plane_map(coordinates: Array, numbers: Array, method: str = "umap", *, side: int = 400, seed: int = 0) -> LevelMap:
    """Points of the plane (n, 2) as a map of their numbers; of points in one cell, a random one shows."""
    low, high = coordinates.min(0), coordinates.max(0)
    cells = ((coordinates - low) / np.maximum(high - low, 1e-9) * (side - 3) + 1).astype(int)
    order = np.random.default_rng(seed).permutation(len(cells))
    picture = np.zeros((side, side), np.uint8)
    for dy, dx in ((0, 1), (1, 0), (0, 0)):  # a point is a small cross, its own cell drawn last
        picture[(side - 1 - cells[order, 1]) - dy, cells[order, 0] + dx] = numbers[order]
    return LevelMap(PLACED_BY[method], _png(picture), side, side, ())


def _png(numbers: Array) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(numbers.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return _url("png", buffer.getvalue())


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""size: how many bytes and files a page without a server will have, before it is written; refused where it has no room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MachineError, TileEngineError
from ..runtime.room import NO_ROOM, free_at
from ..show.encoded import jpeg
from .deep import TILE, Deep
from .viewer import Viewer

LONGEST = 8192
"""Pixels along a picture, at most; of a larger one, a reduction is written, and the page says so."""
SAMPLED_PICTURES, SAMPLED_TILES = 16, 6
"""Pictures whose tiles are encoded to learn how many bytes a pixel takes, and tiles of each, at most."""
BYTES_PER_CELL, BYTES_PER_VALUE = 0.5, 4 / 3
"""Of an overlay's cells, packed: labels take less; values, such as noise, may not be packed at all, and base64 adds a third.
Voxels of a volume are values."""
BYTES_PER_POINT, BYTES_PER_THUMBNAIL = 32, 8000
"""Of a point of the plane, packed; of a small picture of an image."""
PAGE_BYTES, PAGE_FILES = 1 << 19, 30
"""What every page has."""


@dataclass(frozen=True, slots=True)
class PageSize:
    """An estimate."""

    nbytes: int
    files: int

    def __str__(self) -> str:
        return f"about {max(1, round(self.nbytes / 1e6)):,} MB in {self.files:,} files"


def size_of(
    viewer: Viewer, documents: Mapping[tuple[int, int], dict[str, Any]], *, points: int, thumbnails: int
) -> PageSize:
    """The size of the page of images, (run, image) -> document, with so many points of planes and small pictures."""
    shown = [(of, one) for of, found in documents.items() for one in found["pictures"] if one["number"] >= 0]
    pictures = [(of, one) for of, one in shown if len(one["shape"]) == 2]
    voxels = sum(prod(one["shape"]) for _, one in shown if len(one["shape"]) == 3)
    overlays = [overlay for found in documents.values() for overlay in found["overlays"]]
    files = PAGE_FILES + len(documents) + thumbnails + sum(1 for _, one in pictures for _ in places(one["shape"]))
    pixels = sum(4 / 3 * prod(one["shape"]) for _, one in pictures)
    chosen: list[int] = np.unique(np.linspace(0, len(pictures) - 1, SAMPLED_PICTURES).astype(int)).tolist()
    samples = []
    for (run, image), one in (pictures[i] for i in chosen if pictures):
        with suppress(TileEngineError):  # a damaged one is left out when it is written
            samples.append(_sample(viewer.deep(run, image, one["number"])))
    per_pixel = sum(n for n, _ in samples) / sum(n for _, n in samples) if samples else 0.0
    data = sum(
        prod(one["shape"]) * (BYTES_PER_VALUE if one["kind"] == "values" else BYTES_PER_CELL) for one in overlays
    )
    data += BYTES_PER_VALUE * voxels + BYTES_PER_POINT * points + BYTES_PER_THUMBNAIL * thumbnails
    return PageSize(round(PAGE_BYTES + pixels * per_pixel + data), files)


def check_page_room(folder: Path, size: PageSize) -> None:
    """Raises MachineError (E_NO_ROOM) where the disk of the folder has less room than the page takes."""
    free = free_at(folder)
    if size.nbytes > free:
        raise MachineError(
            f"{size} will be written to {folder}, and {free / 1e6:,.0f} MB are free: the disk would fill up. Give "
            "--static a folder on another disk.",
            NO_ROOM,
        )


def left_out_of(deep: Deep) -> int:
    """How many reductions of a picture are too large to be written."""
    left_out = 0
    while max(deep.shape(left_out)) > LONGEST:
        left_out += 1
    return left_out


def places(shape: list[int]) -> Iterator[tuple[int, int, int]]:
    """(reduction, row, column) of every tile of a picture of this shape."""
    z = 0
    while True:
        rows, columns = (-(-n // 2**z // TILE) for n in shape)
        yield from ((z, y, x) for y in range(rows) for x in range(columns))
        if rows == columns == 1:
            return
        z += 1


def _sample(deep: Deep) -> tuple[int, int]:
    """(bytes, pixels) of some tiles of a picture, as they are written."""
    finest = left_out_of(deep)
    rows, columns = (-(-n // TILE) for n in deep.shape(finest))
    chosen = np.random.default_rng(0).permutation(rows * columns)[:SAMPLED_TILES].tolist()
    tiles = [deep.tile(finest, *divmod(place, columns)) for place in chosen]
    return sum(len(jpeg(tile)) for tile in tiles), sum(tile.shape[0] * tile.shape[1] for tile in tiles)

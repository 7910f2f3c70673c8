"""DICOM levels: which frame of which file of a series is each tile of each level, at one focal plane.

A file holds frames in raster order (TILED_FULL: columns, then rows, then focal planes, then optical paths), or each with its
position (TILED_SPARSE). Files of equal size are parts of one level: focal planes, optical paths, or a concatenation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from .dicom_positions import Position

ABSENT = -1
MAX_TILES = 2**24
"""Tiles of a level, at most: their numbers are kept in memory."""
MAX_DEPTH, MAX_PATHS = 4096, 64
"""Focal planes and optical paths, at most."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The tiles of one file at one focal plane of one optical path."""

    path: str
    """Identifier of the optical path."""
    z: float | None
    """Micrometres along the optical axis; None where nothing is stated."""
    frames: Array
    """Number of the frame of each tile, (rows, columns); ABSENT where there is none."""


@dataclass(frozen=True, slots=True)
class DicomLevel:
    """One level: for each channel and tile the file and the frame."""

    shape: tuple[int, int]
    """(height, width) in pixels."""
    tile: tuple[int, int]
    files: Array
    """Index of the file, (channel, rows, columns); ABSENT where no file holds the tile."""
    frames: Array
    """Number of the frame in its file, (channel, rows, columns)."""


def size_of(dataset: Any, positions: Sequence[Position], name: str) -> tuple[tuple[int, int], str]:
    """((height, width) of the whole image of a file, a note where it had to be worked out)."""
    total = dataset.get("TotalPixelMatrixRows"), dataset.get("TotalPixelMatrixColumns")
    if all(total):
        return (int(total[0]), int(total[1])), ""
    tile = int(dataset.Rows), int(dataset.Columns)
    note = "the size of the whole image (TotalPixelMatrixRows, TotalPixelMatrixColumns) is missing and follows from "
    if int(dataset.get("NumberOfFrames") or 1) == 1:
        return tile, f"{note}its only frame"
    if positions:
        height, width = max(p.row for p in positions) + tile[0], max(p.column for p in positions) + tile[1]
        return (height, width), f"{note}its frames' positions"
    spacing, sides = pixel_spacing(dataset), (dataset.get("ImagedVolumeHeight"), dataset.get("ImagedVolumeWidth"))
    if spacing and all(sides):
        height, width = (round(float(side) * 1000 / step) for side, step in zip(sides, spacing, strict=True))
        return (height, width), f"{note}the imaged volume"
    raise SlideError(
        f"{name}: does not state the size of its image (TotalPixelMatrixRows, TotalPixelMatrixColumns), and nothing else in "
        "it does. Export it again from the scanner's software.",
        "E_UNREADABLE",
    )


def pixel_spacing(dataset: Any) -> tuple[float, float] | None:
    """Micrometres a pixel (y, x), of the shared functional groups or of the file itself; None where not stated."""
    measures = _first(_first(dataset, "SharedFunctionalGroupsSequence"), "PixelMeasuresSequence")
    values = (measures is not None and measures.get("PixelSpacing")) or dataset.get("PixelSpacing")
    return (float(values[0]) * 1000, float(values[1]) * 1000) if values and len(values) == 2 else None


def planes_of(
    dataset: Any, positions: Sequence[Position], shape: tuple[int, int], name: str
) -> tuple[list[Plane], str]:
    """(the planes of one file, a note where some of its frames are in none of them).

    Raises SlideError for positions that are missing or off the grid.
    """
    tile = int(dataset.Rows), int(dataset.Columns)
    grid = -(-shape[0] // tile[0]), -(-shape[1] // tile[1])
    if grid[0] * grid[1] > MAX_TILES:
        raise SlideError(f"{name}: claims {grid[0] * grid[1]} tiles, more than {MAX_TILES}.", "E_TOO_BIG")
    kind = str(dataset.get("DimensionOrganizationType") or "")
    sparse = kind == "TILED_SPARSE" or (kind != "TILED_FULL" and bool(positions))
    count = int(dataset.get("NumberOfFrames") or 1)
    if not sparse:
        return _full(dataset, grid, name)
    if len(positions) != count:
        raise SlideError(
            f"{name}: has {count} frames and states the positions of {len(positions)}: where the others lie is unknown. "
            "Export it again from the scanner's software.",
            "E_MALFORMED",
        )
    return _sparse(positions, tile, _paths(dataset)[0], grid, name)


def _full(dataset: Any, grid: tuple[int, int], name: str) -> tuple[list[Plane], str]:
    count, offset = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("ConcatenationFrameOffsetNumber") or 0)
    depth, tiles = int(dataset.get("TotalPixelMatrixFocalPlanes") or 1), grid[0] * grid[1]
    names = _paths(dataset)
    if not 0 < depth <= MAX_DEPTH:
        raise SlideError(f"{name}: claims {depth} focal planes.", "E_MALFORMED")
    measures = _first(_first(dataset, "SharedFunctionalGroupsSequence"), "PixelMeasuresSequence")
    step = measures.get("SpacingBetweenSlices") if measures is not None else None
    lowest = _z(_first(dataset, "TotalPixelMatrixOriginSequence"))
    positions = None if step is None or lowest is None else [lowest + k * float(step) * 1000 for k in range(depth)]
    planes = []
    for p, path in enumerate(names):
        for k in range(depth) if positions else [depth // 2]:
            numbers = np.arange(tiles, dtype=np.int64) + (p * depth + k) * tiles - offset
            numbers[(numbers < 0) | (numbers >= count)] = ABSENT
            z = positions[k] if positions else lowest
            if (numbers != ABSENT).any():
                planes.append(Plane(path, z, numbers.reshape(grid)))
    unstated = f"{depth} focal planes without stated positions; number {depth // 2} (from 0) is read"
    return planes, unstated if depth > 1 and not positions else ""


def _sparse(
    positions: Sequence[Position], tile: tuple[int, int], default: str, grid: tuple[int, int], name: str
) -> tuple[list[Plane], str]:
    found: dict[tuple[str, float | None], Array] = {}
    hidden = 0
    for number, at in enumerate(positions):
        place = at.row // tile[0], at.column // tile[1]
        if at.row % tile[0] or at.column % tile[1] or not all(0 <= a < n for a, n in zip(place, grid, strict=True)):
            raise SlideError(
                f"{name}: frame {number} begins at pixel ({at.row}, {at.column}) (y, x), which is not on the grid of its tiles "
                f"of {tile} pixels: overlapping or shifted tiles are not read. Export it with tiles side by side.",
                "E_UNSUPPORTED_PIXELS",
            )
        key = at.path or default, None if at.z is None else round(at.z, 3)
        if key not in found:
            found[key] = np.full(grid, ABSENT, np.int64)
        if found[key][place] == ABSENT:
            found[key][place] = number
        else:
            hidden += 1
    note = f"{hidden} frames lie at the same place as others before them and are not read: of each place the first is"
    return [Plane(path, z, frames) for (path, z), frames in found.items()], note if hidden else ""


def nearest_plane(depths: Iterable[float | None]) -> tuple[float | None, str]:
    """(the z of the focal plane to read, a note where there are several): nearest to 0, the middle one if none states its z.

    >>> nearest_plane([-3.0, 1.5, 4.0])
    (1.5, '3 focal planes, from -3 to 4 um; the one at 1.5 um is read, the nearest to 0')
    """
    known = sorted({z for z in depths if z is not None})
    if len(known) < 2:
        return (known[0] if known else None), ""
    z = min(known, key=lambda one: (abs(one), one))
    return (
        z,
        f"{len(known)} focal planes, from {known[0]:g} to {known[-1]:g} um; the one at {z:g} um is read, the nearest to 0",
    )


def _paths(dataset: Any) -> list[str]:
    named = [
        str(item.get("OpticalPathIdentifier", i)) for i, item in enumerate(dataset.get("OpticalPathSequence") or ())
    ]
    named = named[:MAX_PATHS]
    count = min(int(dataset.get("NumberOfOpticalPaths") or 0), MAX_PATHS)
    return named if named and count in (0, len(named)) else [str(i) for i in range(count or 1)]


def _z(item: Any) -> float | None:
    value = item.get("ZOffsetInSlideCoordinateSystem") if item is not None else None
    return None if value is None else float(value)


def _first(item: Any, keyword: str) -> Any:
    """The first item of a sequence; None where there is none."""
    sequence = item.get(keyword) if item is not None else None
    return sequence[0] if sequence else None

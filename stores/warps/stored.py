"""stored: a warp at rest, a small Zarr layer in micrometres that OME-Zarr readers open, with its affine maps beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CorruptError
from ..array import Written
from ..frame import Array, Frame
from ..image import ATTRIBUTES_KEY, ImageSpec, StoredImage, attributes_of
from .warp import Warp, WarpPart

WARP_KEY, ACCEPTED_KEY = "warp", "accepted"
MAX_CELLS = 1 << 24
"""Cells of a field, at most: a coarse grid over a section has some ten thousand."""
CHUNK = 512


def write_warp(
    path: Path, warp: Warp, *, name: str, accepted: bool = True, notes: Mapping[str, Any] | None = None
) -> list[Written]:
    """Write a warp of one part; a layer (c, y, x) float32 whose channels are the displacements along y and x.

    `accepted` is whether its registration was: through one that was not, nothing is read.
    Raises ValueError for a composed warp: its parts are stored each for itself.
    """
    if len(warp.parts) != 1:
        raise ValueError(f"a stored warp has one part, this one has {len(warp.parts)}: store its parts")
    (part,) = warp.parts
    grid = part.grid or Frame(("y", "x"), (1, 1), (1.0, 1.0))
    field = np.zeros((2, *grid.shape), np.float32) if part.field is None else part.field
    image = StoredImage.create(path, ImageSpec((grid,), 2, "float32", (CHUNK * 4,) * 2, (CHUNK,) * 2))
    files = [image.write(0, box, field[(slice(None), *box.slices)]) for box in grid.box.cut(image.shard(0))]
    ours = {
        "kind": "pull-back",
        "input": "reference",
        "output": "moving",
        "unit": "micrometer",
        "axes": ["y", "x"],
        "affine": [[float(value) for value in row] for row in part.affine],
        "field": part.field is not None,
    }
    return files + image.finish(name=name, notes={**(notes or {}), WARP_KEY: ours, ACCEPTED_KEY: accepted})


def accepted(path: Path) -> bool:
    """Whether the registration that a stored warp is of was accepted. Raises CorruptError for a layer that is no warp."""
    ours = attributes_of(path).get(ATTRIBUTES_KEY)
    if not isinstance(ours, dict) or not isinstance(ours.get(ACCEPTED_KEY, True), bool):
        raise CorruptError(f"{path} is not the warp that was written there.")
    return bool(ours.get(ACCEPTED_KEY, True))


def read_warp(path: Path) -> Warp:
    """The warp that was written there. Raises CorruptError for a layer that is none."""
    image = StoredImage.open(path)
    grid = image.frames[0]
    if grid.box.size > MAX_CELLS or image.channels != 2 or image.dtype != "float32" or len(grid.shape) != 2:
        raise CorruptError(f"{path} is no warp: it holds {image.channels} channels of {image.dtype} on {grid.shape}.")
    try:
        ours = attributes_of(path)[ATTRIBUTES_KEY][WARP_KEY]
        affine = np.array(ours["affine"], np.float64)
        field: Array | None = image.read(grid.box) if ours["field"] else None
        if field is not None and not np.isfinite(field).all():
            raise ValueError("its field is not finite")
        return Warp((WarpPart(affine, field, grid if field is not None else None),))
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{path} is not the warp that was written there ({error}).") from error

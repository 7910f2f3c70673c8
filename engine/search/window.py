"""window: the pixels of a slide around a position."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import NoInputError, SlideError
from ...stores.frame import Array, Box
from ...stores.slides.reader import open_slide
from ...stores.slides.view import at_spacing, read_masked
from ...stores.source import Source


def open_at_spacing(path: Path, spacing: float, mpp: float | None = None) -> tuple[Source, bool]:
    """(a slide or picture at the run's spacing, whether it is assumed to have it, as nothing states one).

    `mpp`: micrometres a pixel that the user states. Raises NoInputError.
    """
    try:
        return at_spacing(open_slide(path, mpp), spacing), False
    except SlideError as error:
        if error.code != "E_NO_MPP":
            raise NoInputError(f"{path.name} cannot be a query: {error.message}") from error
    return at_spacing(open_slide(path, spacing), spacing), True


def around(source: Source, centre: tuple[float, ...], side: int, level: int = 0) -> Box:
    """The box of `side` cells of a level around a centre in micrometres."""
    frame = source.frames[level]
    at = zip(centre, frame.origin, frame.spacing, strict=True)
    start = tuple(round((c - o) / s - side / 2) for c, o, s in at)
    return Box(start, tuple(a + side for a in start))


def window(source: Source, box: Box, level: int = 0) -> Array:
    """Pixels (channel, *axes) of a box of a level; cells outside the frame are background."""
    out = np.full((source.channels, *box.shape), source.background, source.dtype)
    inside = box & source.frames[level].box
    if inside.size:
        pixels, _ = read_masked(source, inside, level)
        out[(slice(None), *inside.shift([-a for a in box.start]).slices)] = pixels
    return out

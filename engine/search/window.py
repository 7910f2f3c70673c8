"""The part of a slide around a query tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import NoInputError, SlideError
from ...stores.frame import Array, Box
from ...stores.slides.reader import open_slide
from ...stores.slides.view import at_spacing, read_masked
from ...stores.source import Source


def open_at_spacing(path: Path, spacing: float) -> Source:
    """A slide or a picture at the run's spacing; one that does not say its own is taken to have it."""
    try:
        return at_spacing(open_slide(path), spacing)
    except SlideError as error:
        if error.code != "E_NO_MPP":
            raise NoInputError(f"{path.name} cannot be asked about: {error.message}") from error
    return at_spacing(open_slide(path, spacing), spacing)


def around(source: Source, centre: tuple[float, ...], side: int) -> Box:
    """The patch about a place in micrometres."""
    frame = source.frames[0]
    at = zip(centre, frame.origin, frame.spacing, strict=True)
    start = tuple(round((c - o) / s - side / 2) for c, o, s in at)
    return Box(start, tuple(a + side for a in start))


def window(source: Source, box: Box) -> Array:
    """Pixels of a box that may hang over the frame: background there. (channel, *axes)."""
    out = np.full((source.channels, *box.shape), source.background, source.dtype)
    inside = box & source.frames[0].box
    if inside.size:
        pixels, _ = read_masked(source, inside)
        out[(slice(None), *inside.shift([-a for a in box.start]).slices)] = pixels
    return out

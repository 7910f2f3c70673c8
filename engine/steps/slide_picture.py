"""slide_picture: a slide as a small picture for maps and reports, from its stored pyramid."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...stores.frame import Frame
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from ..show.picture import Picture
from .convert.overview import overview


def place_in_viewers(record: ImageRecord) -> dict[str, tuple[float, float]]:
    """Offset of the slide's grid and extent of the slide, in pixels of level 0 counted from where QuPath counts."""
    (y, x), (height, width) = record.corner or (0, 0), record.native_shape
    return {"offset": (-float(y), -float(x)), "extent": (float(height), float(width))}


def pixel_of(record: ImageRecord) -> tuple[float, float]:
    """Height and width of a pixel of level 0, in micrometres."""
    height, width = (um / scale for um, scale in zip(record.spacing, record.native_scale, strict=True))
    return height, width


def first_channel(record: ImageRecord, stain: str = "") -> int:
    """The first channel that a picture shows: of a block, that of a stain, by default of its reference; else 0.

    A block without channels of its reference is shown by its first stain.
    """
    shown = stain or (record.reference.stain if record.stains else "")
    return 3 * record.stains.index(shown) if shown in record.stains else 0


def picture_of(job: Job[Any], slide: str, *, longest: int, stain: str = "") -> Picture:
    """The slide as 8-bit RGB from its stored pyramid: the first three channels, or the first channel as grey.

    Of a block, the channels of a stain, by default of its reference.
    """
    image = job.stored(slide)
    fit = [i for i, f in enumerate(image.frames) if max(f.shape) <= longest]
    frame = image.frames[fit[0] if fit else len(image.frames) - 1]
    target = Frame(frame.axes, frame.shape, frame.spacing, frame.origin)
    pixels, _ = overview(image, target)
    if pixels.dtype != np.uint8:
        top = max(float(np.percentile(pixels, 99.8)), 1.0)
        pixels = (np.clip(pixels / top, 0, 1) * 255).astype(np.uint8)
    pixels = pixels[first_channel(job.slides[slide], stain) :]
    colours = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, 0)
    return Picture(np.ascontiguousarray(colours.transpose(1, 2, 0)), float(frame.spacing[0]))

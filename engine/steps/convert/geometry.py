"""Geometry of a store: chunks, shards, levels and the blocks that units convert."""

from __future__ import annotations

import math

from ....stores.frame import Frame
from ....stores.image import ImageSpec, halving, pyramid
from ....stores.shard import Codec
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings

OVERVIEW, PIXELS, PYRAMID = "overview", "pixels", "pyramid"
"""Names of the steps, by which others find their receipts."""
TISSUE_SPACING = 8.0
"""Micrometres a cell of the tissue mask, about."""
MASK_CELLS = 1 << 22
"""Of a volume's mask, at most: 2 mm of a head that was scanned at 1 mm."""


def reference_of(frame: Frame) -> tuple[float, ...]:
    """What an image's positions are stated against (see `stores.ngff`)."""
    return frame.spacing if len(frame.shape) == 2 else (0.0,) * len(frame.shape)


def coarse(frame: Frame) -> tuple[int, ...]:
    """Cells of the run's frame along one cell of the tissue mask: powers of two, so that it is a level of the pyramid."""
    if len(frame.shape) == 2:
        factor = 1 << max(0, round(math.log2(TISSUE_SPACING / frame.spacing[0])))
        return (factor, factor)
    factors = (1,) * len(frame.shape)
    while frame.coarsen(factors).box.size > MASK_CELLS:
        factors = tuple(a * b for a, b in zip(factors, halving(frame.coarsen(factors)), strict=True))
    return factors


def image_spec(job: Job[RunSettings], slide: str) -> ImageSpec:
    """What the slide's store will hold."""
    record = job.slides[slide]
    kept = record.frame.coarsen(coarse(record.frame)) if job.pixels == "none" else record.frame
    cut = job.modality.cut
    return ImageSpec(
        frames=pyramid(kept, longest=cut.longest),
        channels=record.channels,
        dtype=record.dtype,
        shard=cut.shard,
        chunk=cut.chunk,
        fill=record.background,
        codec=Codec(job.settings.codec),
    )

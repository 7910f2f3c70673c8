"""Geometry of a store: chunks, shards, levels and the blocks that units convert."""

from __future__ import annotations

import math

import numpy as np

from ....stores.frame import Frame
from ....stores.image import ImageSpec, halving, pyramid
from ....stores.shard import Codec
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings

OVERVIEW, PIXELS, PYRAMID = "overview", "pixels", "pyramid"
"""Names of the steps; other steps find their receipts by these names."""
TISSUE_SPACING = 8.0
"""Approximate micrometres per cell of the tissue mask."""
MASK_CELLS = 1 << 22
"""Cells of a volume's mask, at most. A head scanned at 1 mm gets a mask at 2 mm."""

MASK_BYTES = {2: 100, 3: 24}
"""Axes -> bytes of memory for a cell of the mask while it is found, as measured, of slides in colour and of volumes."""


def reference_of(frame: Frame) -> tuple[float, ...]:
    """The reference that an image's positions are relative to (see `stores.ngff`)."""
    return frame.spacing if len(frame.shape) == 2 else (0.0,) * len(frame.shape)


def coarse(frame: Frame) -> tuple[int, ...]:
    """Cells of the run's frame per cell of the tissue mask, by axis: powers of two, so that the mask is a pyramid level."""
    if len(frame.shape) == 2:
        factor = 1 << max(0, round(math.log2(TISSUE_SPACING / frame.spacing[0])))
        return (factor, factor)
    factors = (1,) * len(frame.shape)
    while frame.coarsen(factors).box.size > MASK_CELLS:
        factors = tuple(a * b for a, b in zip(factors, halving(frame.coarsen(factors)), strict=True))
    return factors


def image_spec(job: Job[RunSettings], slide: str) -> ImageSpec:
    """The specification of the slide's store: frames, channels, chunks, shards and codec."""
    record = job.slides[slide]
    frame = record.frame.coarsen(coarse(record.frame)) if job.pixels == "none" else record.frame
    cut = job.modality.cut
    return ImageSpec(
        frames=pyramid(frame, longest=cut.longest),
        channels=record.channels,
        dtype=record.dtype,
        shard=cut.shard,
        chunk=cut.chunk,
        fill=record.background,
        codec=Codec(job.settings.codec),
    )


def convert_bytes(job: Job[RunSettings]) -> int:
    """Approximate bytes of memory for the pixels of a block, and for the tissue mask of another image, found meanwhile."""
    blocks, masks = [0], [0]
    for record in job.slides.values():
        cell = record.channels * np.dtype(record.dtype).itemsize
        blocks.append(cell * math.prod(map(min, record.shape, job.modality.cut.block)))
        masks.append(record.frame.coarsen(coarse(record.frame)).box.size * (cell + MASK_BYTES[len(record.shape)]))
    return max(blocks) + max(masks)

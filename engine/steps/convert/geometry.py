"""Geometry of a store: chunks, shards, levels and the blocks that units convert."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....stores.frame import Frame
from ....stores.image import ImageSpec, halving, pyramid
from ....stores.shard import Codec
from ...pipeline.job import Job

SHARD, CHUNK = 2048, 256
SMALL = 64
"""Voxels along a chunk of a volume."""
CONTAINED = 3
"""Levels that a block of pixels contains wholly: 8192, 4096 and 2048 cells, whole shards each."""
BLOCK = SHARD << (CONTAINED - 1)
TISSUE_SPACING = 8.0
"""Micrometres a cell of the tissue mask, about."""
MASK_CELLS = 1 << 22
"""Of a volume's mask, at most: 2 mm of a head that was scanned at 1 mm."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How images of one kind are cut into blocks, shards and chunks."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    contained: int
    """Levels that a block of pixels contains wholly, whole shards each."""
    longest: int
    """Cells along the coarsest level at most."""
    labels: tuple[tuple[int, ...], tuple[int, ...]]
    """Shard and chunk of labels."""

    @property
    def block(self) -> tuple[int, ...]:
        return tuple(n << (self.contained - 1) for n in self.shard)


CUTS = {
    "slides": Cut((SHARD, SHARD), (CHUNK, CHUNK), CONTAINED, 256, ((1024, 1024), (256, 256))),
    "volumes": Cut((256,) * 3, (SMALL,) * 3, 1, 64, ((256,) * 3, (SMALL,) * 3)),
}


def cut_of(job: Job) -> Cut:
    return CUTS[job.folder.images]


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


def image_spec(job: Job, slide: str) -> ImageSpec:
    """What the slide's store will hold."""
    record = job.slides[slide]
    kept = record.frame.coarsen(coarse(record.frame)) if job.pixels == "none" else record.frame
    cut = cut_of(job)
    return ImageSpec(
        frames=pyramid(kept, longest=cut.longest),
        channels=record.channels,
        dtype=record.dtype,
        shard=cut.shard,
        chunk=cut.chunk,
        fill=record.background,
        codec=Codec(job.settings.codec),
    )

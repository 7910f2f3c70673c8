"""overviews: a coarse picture of each section, stored as OME-Zarr; the pictures of a block have one spacing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ....errors import SlideError, TileError
from ....stores.frame import Array, Box, Frame
from ....stores.image import ImageSpec, StoredImage
from ....stores.shard import Codec
from ....stores.warps.warp import Warp
from ....stores.warps.warped import Warped
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...pipeline.section_file import SectionFile
from ...pipeline.unit import Outcome, Unit
from .settings import SectionSettings

CHUNK, SHARD, PIECE = 512, 2048, 64
SIDE = 1024
"""Pixels of the longer side of an overview, at least: people look at it, too."""


def overview_units(job: Job[SectionSettings], step: str) -> Iterator[Unit]:
    """One unit for each section."""
    for image, record in job.slides.items():
        for section in record.sections:
            yield Unit(step, f"{image}/{section.id}", image)


def section_of(job: Job[SectionSettings], unit: Unit) -> SectionFile:
    name = unit.name.rpartition("/")[2]
    return next(section for section in job.slides[unit.slide].sections if section.id == name)


def overview_spacing(job: Job[SectionSettings], record: ImageRecord) -> float:
    """Micrometres a pixel of a block's overviews: the longest section has `SIDE` or `resolution` pixels, or all it has."""
    longest = max(max(section.native_shape) * section.native_spacing for section in record.sections)
    return max(job.spacing, longest / max(SIDE, job.settings.resolution))


def write_section_overview(job: Job[SectionSettings], unit: Unit) -> Outcome:
    """Read one section at the spacing of the block's overviews and store it.

    Parts that cannot be decoded are background, and counted. A section that cannot be read at all is rejected by its name, and
    its block goes on without it, unless it is the reference.
    """
    outcome = Outcome()
    section, record = section_of(job, unit), job.slides[unit.slide]
    frame = overview_frame(section.frame, overview_spacing(job, record))
    try:
        source = resources().section(job, unit.slide, section)
        shrunk = Warped(source, Warp.of_affine([[1, 0, 0], [0, 1, 0]]), (frame,), background=record.background)
    except SlideError as error:
        if section.reference:
            raise
        outcome.rejected.append((f"{record.id}.{section.id}", section.name, error.code, error.message))
        shrunk = None
    lost = 0
    spec = ImageSpec((frame,), 3, "uint8", (SHARD,) * 2, (CHUNK,) * 2, fill=255, codec=Codec(job.settings.codec))
    image = StoredImage.create(job.folder.overview(unit.slide, section.id), spec)
    for box in frame.box.cut(image.shard(0)):
        with outcome.clock("read"):
            pixels, undecoded = _read_with_gaps(shrunk, box)
        lost += undecoded
        with outcome.clock("write"):
            outcome.files.append(image.write(0, box, pixels))
    with outcome.clock("write"):
        outcome.files += image.finish(name=f"{record.name} {section.stain}")
    outcome.facts["pixels"] = frame.box.size
    if lost:
        outcome.notices.append(
            f"{section.name}: {lost / frame.box.size:.1%} of it cannot be decoded, and is background"
        )
    return outcome


def _read_with_gaps(source: Warped | None, box: Box) -> tuple[Array, int]:
    """The pixels of a box, and the number of those that cannot be decoded, which are background."""
    pixels, lost = np.full((3, *box.shape), 255, np.uint8), 0
    if source is None:
        return pixels, lost
    try:
        return source.read(box), 0
    except TileError:
        for piece in box.cut((PIECE, PIECE)):
            try:
                pixels[(slice(None), *piece.shift([-n for n in box.start]).slices)] = source.read(piece)
            except TileError:
                lost += piece.size
    return pixels, lost


def overview_frame(finest: Frame, spacing: float) -> Frame:
    """The frame of a section's overview: the section's extent in cells of `spacing` micrometres."""
    lengths = [n * s for n, s in zip(finest.shape, finest.spacing, strict=True)]
    shape = tuple(max(1, math.ceil(length / spacing - 1e-6)) for length in lengths)
    return Frame(finest.axes, shape, (spacing,) * len(shape), finest.origin)


def read_overview(job: Job[SectionSettings], image: str, section: SectionFile) -> tuple[Array, Frame]:
    """(3, y, x) uint8, and its frame."""
    stored = StoredImage.open(job.folder.overview(image, section.id))
    return stored.read(stored.frames[0].box), stored.frames[0]

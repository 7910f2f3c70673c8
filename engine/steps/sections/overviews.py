"""overviews: a coarse picture of each section, stored as OME-Zarr; the pictures of a block have one spacing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ....stores.frame import Array, Frame
from ....stores.image import ImageSpec, StoredImage
from ....stores.shard import Codec
from ....stores.warps.warp import Warp
from ....stores.warps.warped import Warped
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord, SectionFile
from ...pipeline.unit import Outcome, Unit
from .settings import SectionSettings

CHUNK, SHARD = 512, 2048
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
    """Read one section at the spacing of the block's overviews and store it."""
    outcome = Outcome()
    section, record = section_of(job, unit), job.slides[unit.slide]
    source = resources().section(job, unit.slide, section)
    frame = overview_frame(source.frames[0], overview_spacing(job, record))
    shrunk = Warped(source, Warp.of_affine([[1, 0, 0], [0, 1, 0]]), (frame,))
    spec = ImageSpec((frame,), 3, "uint8", (SHARD,) * 2, (CHUNK,) * 2, fill=255, codec=Codec(job.settings.codec))
    image = StoredImage.create(job.folder.overview(unit.slide, section.id), spec)
    for box in frame.box.cut(image.shard(0)):
        with outcome.clock("read"):
            pixels = shrunk.read(box)
        with outcome.clock("write"):
            outcome.files.append(image.write(0, box, pixels))
    with outcome.clock("write"):
        outcome.files += image.finish(name=f"{record.name} {section.stain}")
    outcome.facts["pixels"] = frame.box.size
    return outcome


def overview_frame(finest: Frame, spacing: float) -> Frame:
    """The frame of a section's overview: the section's extent in cells of `spacing` micrometres."""
    lengths = [n * s for n, s in zip(finest.shape, finest.spacing, strict=True)]
    shape = tuple(max(1, math.ceil(length / spacing - 1e-6)) for length in lengths)
    return Frame(finest.axes, shape, (spacing,) * len(shape), finest.origin)


def read_overview(job: Job[SectionSettings], image: str, section: SectionFile) -> tuple[Array, Frame]:
    """(3, y, x) uint8, and its frame."""
    stored = StoredImage.open(job.folder.overview(image, section.id))
    return stored.read(stored.frames[0].box), stored.frames[0]

"""Overview: a coarse picture of a slide, from which its tissue mask is computed before any pixel is converted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ....stores.downsample import resize
from ....stores.frame import Array, Box, Frame
from ....stores.image import StoredImage, begin_groups
from ....stores.slides.view import pieces_of, read_masked
from ....stores.source import Source
from ....stores.warps.warped import Gapped
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from .geometry import coarse, image_spec
from .loss import Loss, tiles_in
from .tissue import covered_tissue, find_tissue, with_loss, write_tissue


def overview(source: Source, target: Frame) -> tuple[Array, list[Box]]:
    """The source on a coarse frame, (channel, *target.shape), and the boxes of the target that could not be decoded.

    The source's coarsest level that is at least as fine is read, in strips, so that memory stays bounded."""
    picture, holes = _read_overview(source, target, level := level_for(source, target))
    scale = [t / f for t, f in zip(target.shape, source.frames[level].shape, strict=True)]
    return picture, [scaled(hole, scale) & target.box for hole in holes]


def level_for(source: Source, target: Frame) -> int:
    """The coarsest level of a source that is at least as fine as the target."""
    fit = [i for i, f in enumerate(source.frames) if f.spacing[0] <= target.spacing[0] * 1.05]
    return fit[-1] if fit else 0


def _present_level(slide: Gapped, target: Frame) -> int:
    """As `level_for`, but a finer level where the file lacks most of what the finer one holds."""
    present = [1 - sum(gap.size for gap in slide.absent(f.box, i)) / f.box.size for i, f in enumerate(slide.frames)]
    level = level_for(slide, target)
    while level and 2 * present[level] < present[level - 1]:
        level -= 1
    return level


def _read_overview(source: Source, target: Frame, level: int) -> tuple[Array, list[Box]]:
    """(picture read from this level, boxes of the level that could not be decoded)."""
    frame = source.frames[level]
    strip = max(1, (1 << 25) // max(1, frame.shape[1] * source.channels))
    rows = [n * frame.shape[0] // target.shape[0] for n in range(target.shape[0] + 1)]
    out = np.empty((source.channels, *target.shape), source.dtype)
    unreadable: list[Box] = []
    at = 0
    while at < target.shape[0]:
        end = at + 1
        while end < target.shape[0] and rows[end + 1] - rows[at] <= strip:
            end += 1
        box = Box((rows[at], 0), (max(rows[end], rows[at] + 1), frame.shape[1])) & frame.box
        pixels, holes = read_masked(source, box, level)
        out[:, at:end] = resize(pixels, (end - at, target.shape[1]))
        unreadable += holes
        at = end
    return out, unreadable


def scaled(box: Box, factors: list[float]) -> Box:
    """The smallest box that covers another one whose cells are `factors` times as long, by axis."""
    return Box(
        tuple(math.floor(a * f) for a, f in zip(box.start, factors, strict=True)),
        tuple(math.ceil(b * f) for b, f in zip(box.stop, factors, strict=True)),
    )


def overview_units(job: Job[RunSettings], step: str) -> Iterator[Unit]:
    if job.pixels != "all":
        for slide in job.slides:
            yield Unit(step, f"{slide}/overview", slide)


def write_overview(job: Job[RunSettings], unit: Unit) -> Outcome:
    """Compute the tissue mask first, from the slide's own coarse levels, where the store keeps only some pixels."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    target = record.frame.coarsen(coarse(record.frame))
    source = job.modality.levels(job, unit.slide)
    with outcome.clock("read"):
        picture, unreadable = _read_overview(source, target, level := _present_level(source, target))
    frame = source.frames[level]
    scale, tile = [t / f for t, f in zip(target.shape, frame.shape, strict=True)], pieces_of(source, level)
    missing = source.absent(frame.box, level)
    gaps = [box.coarsen(coarse(record.frame)) for box in job.modality.absent(job, unit.slide, record.frame.box)]
    loss = Loss(
        tuple(sorted((scaled(hole, scale) & target.box for hole in unreadable), key=lambda box: box.start)),
        tuple(sorted({*gaps, *(scaled(gap, scale) & target.box for gap in missing)}, key=lambda box: box.start)),
        tiles_in(unreadable, tile),
        tiles_in(missing, tile),
        math.prod(-(-n // t) for n, t in zip(frame.shape, tile, strict=True)),
    )
    with outcome.clock("compute"):
        mask, said = covered_tissue(job, unit.slide, find_tissue(picture, target, record), target)
        labels = with_loss(mask, loss)  # the step `pyramid` applies the limit
    outcome.notes += said
    outcome.facts["unreadable"] = [[*b.start, *b.stop] for b in loss.unreadable]
    outcome.facts["absent"] = [[*b.start, *b.stop] for b in loss.absent]
    outcome.facts["tiles_lost"] = [loss.unreadable_tiles, loss.absent_tiles, loss.tiles]
    with outcome.clock("write"):
        begin_groups(job.folder.slide(unit.slide))
        outcome.files += write_tissue(job, unit.slide, labels, target, picture)
        if job.pixels == "none":
            image = StoredImage.ensure(job.folder.slide(unit.slide), image_spec(job, unit.slide))
            for box in target.box.cut(image.shard(0)):
                outcome.files.append(image.write(0, box, picture[(slice(None), *box.slices)]))
    return outcome

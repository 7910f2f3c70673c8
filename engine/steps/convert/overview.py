"""Overview: a coarse picture of a slide, from which its tissue mask is computed before any pixel is converted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ....stores.downsample import resize
from ....stores.frame import Array, Box, Frame
from ....stores.image import StoredImage, begin_groups
from ....stores.slides.view import read_masked
from ....stores.source import Source
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from .geometry import coarse, image_spec
from .tissue import _tissue_labels, _write_tissue


def overview(source: Source, target: Frame) -> tuple[Array, list[Box]]:
    """The source on a coarse frame, (channel, *target.shape), and the boxes of the target that could not be decoded.

    The source's coarsest level that is at least as fine is read, in strips, so that memory stays bounded."""
    fit = [i for i, f in enumerate(source.frames) if f.spacing[0] <= target.spacing[0] * 1.05]
    level = fit[-1] if fit else 0
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
        scale = [t / f for t, f in zip(target.shape, frame.shape, strict=True)]
        unreadable += [_scaled(hole, scale) & target.box for hole in holes]
        at = end
    return out, unreadable


def _scaled(box: Box, factors: list[float]) -> Box:
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
    with outcome.clock("read"):
        picture, holes = overview(resources().slide(job, unit.slide), target)
    with outcome.clock("compute"):
        labels = _tissue_labels(picture, target, record, holes=holes, limit=1.0)  # the step `pyramid` applies the limit
    outcome.facts["unreadable"] = sorted([*b.start, *b.stop] for b in holes)
    with outcome.clock("write"):
        begin_groups(job.folder.slide(unit.slide))
        outcome.files += _write_tissue(job, unit.slide, labels, target, picture)
        if job.pixels == "none":
            image = StoredImage.ensure(job.folder.slide(unit.slide), image_spec(job, unit.slide))
            for box in target.box.cut(image.shard(0)):
                outcome.files.append(image.write(0, box, picture[(slice(None), *box.slices)]))
    return outcome

"""section_stack: the sections of a block as one source, each read through its warp on the frame of the reference.

The reference itself is read as a slide is: its pixels are not interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...stores.frame import Array, Box, Frame
from ...stores.slides.view import View, at_spacing
from ...stores.warps.stacked import Stacked
from ...stores.warps.warped import Gapped, Warped
from ..compute.resources import resources
from ..pipeline.job import Job

BACKGROUND = 255
"""Where a section has no pixels: sections are brightfield, and glass is white."""
POINTS = 1 << 20
"""Numbers of positions that are mapped at a time, about."""


class GappedView:
    """A slide at the spacing of a run, and what its file does not hold there."""

    def __init__(self, slide: Gapped, spacing: float) -> None:
        self._slide = slide
        self.view: View = at_spacing(slide, spacing)
        self.frames, self.tiles = self.view.frames, self.view.tiles
        self.channels, self.dtype, self.background = slide.channels, slide.dtype, slide.background

    def read(self, box: Box, level: int = 0) -> Array:
        return self.view.read(box, level)

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        """The parts of a box of the view that come from what the file does not hold."""
        return [self.view.touches(gap) & box for gap in self._slide.absent(self.view.needs(box), self.view.level)]


def stack_at_spacing(job: Job[Any], image: str) -> Stacked:
    """The block at the run's spacing: one frame, three channels a stain."""
    record = job.slides[image]
    reference = GappedView(resources().section(job, image, record.reference), job.spacing)
    return _stack(job, image, reference, (record.frame,))


def stack_of_levels(job: Job[Any], image: str) -> Stacked:
    """The block on all levels of the reference's own file."""
    reference = resources().section(job, image, job.slides[image].reference)
    return _stack(job, image, reference, reference.frames)


def absent_of_stack(job: Job[Any], image: str, box: Box) -> list[Box]:
    return stack_at_spacing(job, image).absent(box)


def covered_by_all(job: Job[Any], image: str, frame: Frame) -> Array:
    """The cells of a frame of the reference whose centres lie on each of the block's registered sections, bool.

    Beyond the rim of a section its channels are background, and what is unlike there is no tissue.
    """
    centres = np.stack(np.meshgrid(frame.centres(0), frame.centres(1), indexing="ij"), -1)
    covered = np.ones(frame.shape, bool)
    for section in job.slides[image].moving:
        warp = resources().warp(job, image, section)
        if warp is None:
            continue
        for rows in np.array_split(np.arange(frame.shape[0]), max(1, centres.size // POINTS)):
            points = warp.to_moving(centres[rows].reshape(-1, 2))
            cells = (points - np.array(section.frame.origin)) / np.array(section.frame.spacing)
            inside = ((cells >= 0) & (cells <= np.array(section.frame.shape))).all(1)
            covered[rows] &= inside.reshape(len(rows), -1)
    return covered


def _stack(job: Job[Any], image: str, reference: Gapped, frames: Sequence[Frame]) -> Stacked:
    """`reference` on `frames`, and the other sections through their warps; none where the registration of one failed."""
    record = job.slides[image]
    sources: list[Gapped | None] = []
    for section in map(record.section, record.stains):
        if section is None or section.reference:
            sources.append(None if section is None else reference)
            continue
        warp = resources().warp(job, image, section)
        if warp is None:
            sources.append(None)
            continue
        moving = resources().section(job, image, section)
        sources.append(Warped(moving, warp, frames, background=BACKGROUND))
    return Stacked(sources, frames, background=BACKGROUND)

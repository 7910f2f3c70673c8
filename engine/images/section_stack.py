"""section_stack: the sections of a block as one source, each read through its warp on the frame of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...stores.frame import Box, Frame
from ...stores.warps.stacked import Stacked
from ...stores.warps.warped import Gapped, Warped
from ..compute.resources import resources
from ..pipeline.job import Job


def stack_at_spacing(job: Job[Any], image: str) -> Stacked:
    """The block at the run's spacing: one frame, three channels a stain."""
    return _stack(job, image, (job.slides[image].frame,))


def stack_of_levels(job: Job[Any], image: str) -> Stacked:
    """The block on all levels of the reference's own file."""
    return _stack(job, image, resources().section(job, image, job.slides[image].reference).frames)


def absent_of_stack(job: Job[Any], image: str, box: Box) -> list[Box]:
    return stack_at_spacing(job, image).absent(box)


def _stack(job: Job[Any], image: str, frames: Sequence[Frame]) -> Stacked:
    return Stacked([_section(job, image, stain, frames) for stain in job.slides[image].stains], frames)


def _section(job: Job[Any], image: str, stain: str, frames: Sequence[Frame]) -> Gapped | None:
    """One section on the reference's frames; None where the block has none of this stain, or its registration failed."""
    section = job.slides[image].section(stain)
    if section is None:
        return None
    warp = resources().warp(job, image, section)
    return None if warp is None else Warped(resources().section(job, image, section), warp, frames)

"""left_out: sections of a report on images that were rejected, and on images that are used although parts of them are lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..pipeline.image_documents import read_rejected
from ..pipeline.job import Job
from ..pipeline.messages import reason_of
from ..show import run_sections
from ..show.orientation import AXIAL
from ..show.page import Section, Thumbnail
from ..show.thumbnail import THUMBNAIL_SIDE, thumbnail_source
from .convert.loss import losses
from .mask_sheets import masked, shares_of
from .rejected_pictures import rejected_pictures

MAX_LOST_PICTURES = 24
"""Images with lost parts that have a picture, at most."""


def rejected_sections(job: Job[Any]) -> list[Section]:
    """Every image that was rejected, with a picture where its file still gives one; no section where none was."""
    rejections = list(read_rejected(job.folder).values())
    if not rejections:
        return []
    rows = [(one.name, one.code, reason_of(one)) for one in rejections]
    pictures = rejected_pictures(job, rejections)
    section = run_sections.rejected_section(rows, pictures, noun=job.modality.input.name)
    are_planes = "z" in job.modality.axes and any(isinstance(one, Thumbnail) for one in pictures)
    return [
        replace(section, text=(f"{AXIAL} Of a file that states no orientation, that is assumed.",))
        if are_planes
        else section
    ]


def lost_sections(job: Job[Any]) -> list[Section]:
    """The images that are used although something of them is lost; no section where there are none."""
    rows = list[run_sections.LostRow]()
    for image, text in losses(job).items():
        parts, picture = shares_of(job, image), _picture(job, image, len(rows))
        row = run_sections.LostRow(job.slides[image].name, text, parts.get("unreadable"), parts.get("absent"), picture)
        rows.append(row)
    return [run_sections.lost_section(rows, noun=job.modality.plural)] if rows else []


def _picture(job: Job[Any], image: str, number: int) -> Thumbnail | str:
    """The image with what is lost marked on it, or why it is not drawn."""
    if not job.modality.planar:
        return f"not drawn: a {job.modality.noun}"
    if number >= MAX_LOST_PICTURES:
        return f"not drawn: pictures of the first {MAX_LOST_PICTURES} only"
    source = thumbnail_source(np.moveaxis(masked(job, image, side=THUMBNAIL_SIDE), -1, 0))
    return Thumbnail(source, f"{job.slides[image].name} with its lost parts marked")

"""Room: an image whose results alone would fill the disk is rejected by its name; all others must fit together.

A small file can state an image of any size: an array of fill values alone, a sparse TIFF. It costs itself only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import MachineError
from ...stores.files import free_bytes
from ...stores.folder import Folder
from ...stores.remote import ObjectPath
from ..pipeline.documents import find_run
from ..pipeline.image_documents import read_images, read_rejected
from ..pipeline.job import Job
from ..pipeline.modality import Modality
from ..pipeline.record import ImageRecord, InspectedCohort, Rejection, rejection_of_image
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Estimate, Pipeline

NO_ROOM = "E_NO_ROOM"
MOST_RESULTS = 16
"""Bytes of results for a byte of an image's pixels, at most: embeddings of patches that overlap take more than the pixels."""


def with_room(
    pipeline: Pipeline, folder: Folder, settings: RunSettings, inspected: InspectedCohort, *, redo: bool = False
) -> tuple[InspectedCohort, Estimate]:
    """The cohort without images that would fill the disk alone, and its estimate. Raises what `pipeline.check` raises.

    Images of a run that has begun stay in it, and those that had no room stay out of it, unless it is redone. Where no image
    has room, all of them stay: then the run is refused as a whole.
    """
    goes_on = not redo and find_run(folder) is not None  # else documents of these names are foreign
    begun = set(read_images(folder)) if goes_on else set()
    earlier = {s: r for s, r in read_rejected(folder).items() if r.code == NO_ROOM} if goes_on else {}
    slides = inspected.slides
    earlier = {s: r for s, r in earlier.items() if s in slides and r.fingerprint == slides[s].fingerprint}
    fitting, plan = _checked(pipeline, folder, settings, _without(inspected, earlier))
    if plan.disk - plan.present <= free_at(folder.out):
        return fitting, plan
    new = {s: record for s, record in fitting.slides.items() if s not in begun}
    large = dict(_too_large(pipeline, folder, settings, replace(fitting, slides=new)))
    if not large or len(large) == len(fitting.slides):
        return fitting, plan
    return _checked(pipeline, folder, settings, _without(fitting, large))


def _checked(
    pipeline: Pipeline, folder: Folder, settings: RunSettings, inspected: InspectedCohort
) -> tuple[InspectedCohort, Estimate]:
    job = _job(pipeline, folder, settings, inspected)
    pipeline.check(job)
    return inspected, pipeline.estimate(job)


def check_room(folder: Folder, plan: Estimate, modality: Modality) -> None:
    """Raises MachineError (E_NO_ROOM) where the results of all images do not fit on the disk."""
    free = free_at(folder.out)
    need = plan.disk - plan.present
    if need > free:
        raise MachineError(
            f"about {need / 1e9:.2f} GB will be written to {folder.out} and {free / 1e9:.2f} GB are free: the disk would "
            f"fill up. Choose another --out{modality.smaller}.",
            NO_ROOM,
        )


def _too_large(
    pipeline: Pipeline, folder: Folder, settings: RunSettings, inspected: InspectedCohort
) -> Iterator[tuple[str, Rejection]]:
    """Images that would fill the disk alone, the largest first: where one does not, smaller ones do not either."""
    free = free_at(folder.out)
    for image, record in sorted(inspected.slides.items(), key=lambda item: -_nbytes(item[1])):
        if MOST_RESULTS * _nbytes(record) < free:
            return
        plan = pipeline.estimate(_job(pipeline, folder, settings, replace(inspected, slides={image: record})))
        if plan.disk <= free + plan.present:
            return
        yield (
            image,
            rejection_of_image(
                record,
                NO_ROOM,
                f"{record.name}: states {' x '.join(map(str, record.native_shape))} pixels: its results alone would take about "
                f"{plan.disk / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free. If that size is right, free "
                f"room and run again with --redo, or choose another --out{pipeline.modality.smaller}.",
            ),
        )


def free_at(path: Path) -> float:
    """Free bytes where a folder is, or will be."""
    while not isinstance(path, ObjectPath) and not path.exists():
        path = path.parent
    return free_bytes(path)


def _without(inspected: InspectedCohort, rejected: dict[str, Rejection]) -> InspectedCohort:
    kept = {s: record for s, record in inspected.slides.items() if s not in rejected}
    return replace(inspected, slides=kept, rejected={**inspected.rejected, **rejected}) if kept else inspected


def _job(pipeline: Pipeline, folder: Folder, settings: RunSettings, inspected: InspectedCohort) -> Job[RunSettings]:
    return Job(folder, settings, inspected.spacing, inspected.slides, {}, pipeline)


def _nbytes(record: ImageRecord) -> int:
    return math.prod(record.shape) * record.channels * np.dtype(record.dtype).itemsize

"""Modality: how images of one kind are found and opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...stores.slides.cohort import Cohort, find_slides
from ..pipeline.job import Job
from ..steps.estimate import Estimate, estimate
from ..steps.settings import Tiled
from ..steps.volumes.estimate import Forecast, forecast
from .opening import Opened, open_cohort, open_volumes

Images = str | Path | Sequence[str | Path]
"""A folder, a glob, a file, a list of files in a CSV, or several of these."""


@dataclass(frozen=True, slots=True)
class Input:
    """How one kind of images is found and opened, and what is said of the work before it."""

    find: Callable[[Images, Any], Cohort]
    open: Callable[[Cohort, Any], Opened]
    plan: Callable[[Job], Estimate | Forecast]


def _find_volumes(spec: Images, settings: Any) -> Cohort:
    from ...stores.volumes.cohort import find_volumes

    return find_volumes(spec, t=settings.t)


def _plan_of_volumes(job: Job) -> Estimate | Forecast:
    return estimate(job) if isinstance(job.settings, Tiled) else forecast(job)


INPUT: Mapping[str, Input] = {
    "slides": Input(
        lambda spec, _: find_slides(spec),
        lambda cohort, asked: open_cohort(cohort, mpp=asked.mpp, spacing=asked.spacing),
        estimate,
    ),
    "volumes": Input(_find_volumes, lambda cohort, _: open_volumes(cohort), _plan_of_volumes),
}

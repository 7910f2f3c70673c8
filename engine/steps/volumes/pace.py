"""pace: the seconds of a run that trains autoencoders of whole volumes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...pipeline.job import Job
from ..usual_pace import Trainings, trained_seconds, usual_seconds
from .dataset import grid_of
from .networks import network_of

if TYPE_CHECKING:
    from ....models.training.budget import VolumeBudget


def seconds_of_volumes(
    job: Job[Any],
    names: Collection[str],
    workers: int,
    *,
    trained: Sequence[tuple[str, VolumeBudget]],
    unknown: Collection[str] = (),
) -> dict[str, float | None]:
    """Name of a step -> seconds; `trained`: network and size of each training."""
    totals: dict[str, float | None] = {"networks": 0.0, "encode": 0.0}
    if set(totals) & set(names):
        shape = (next(iter(job.slides.values())).channels, *grid_of(job).shape)
        for network in dict.fromkeys(network for network, _ in trained):
            plans = [plan for kind, plan in trained if kind == network]
            trainings = Trainings(
                (network, job.settings.embedding_size, job.settings.dtype),
                partial(network_of, job, network),
                shape,
                [plan.steps * plan.batch for plan in plans],
                len(plans) * len(job.slides),
            )
            for name, seconds in zip(totals, trained_seconds(job, trainings, workers), strict=True):
                total = totals[name]
                totals[name] = None if seconds is None or total is None else total + seconds
    return usual_seconds(job, names, workers, known=totals, unknown=unknown)

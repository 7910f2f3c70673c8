"""pace: the seconds of a run that groups subjects by their volumes."""

from __future__ import annotations

import math
from collections.abc import Collection

from ....pipeline.job import Job
from ....pipeline.spec import Estimate
from ....steps.volumes.dataset import grid_of
from ....steps.volumes.pace import seconds_of_volumes
from .embed import training_units
from .settings import SubjectSettings


def seconds_of_groups(
    job: Job[SubjectSettings], sizes: Estimate, names: Collection[str], workers: int
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process)."""
    from .....models.training.budget import volume_budget

    plan = volume_budget(len(job.slides), math.prod(grid_of(job).shape), job.settings.effort)
    plans = [(job.settings.network, plan) for _ in training_units(job, "networks")]
    return seconds_of_volumes(job, names, workers, trained=plans, unknown=("number",))

"""pace: the seconds of a run that embeds whole volumes."""

from __future__ import annotations

import math
from collections.abc import Collection

from ...pipeline.job import Job
from ...pipeline.spec import Estimate
from ...steps.volumes.dataset import grid_of
from ...steps.volumes.pace import seconds_of_volumes
from .folds import folds_of, trainings
from .objective import objective_of
from .settings import EmbedSettings


def seconds_of_embedding(
    job: Job[EmbedSettings], sizes: Estimate, names: Collection[str], workers: int
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process)."""
    from ....models.training.budget import volume_budget

    folds, cells = folds_of(job), math.prod(grid_of(job).shape)
    learns = objective_of(job).kind != "reconstruction"
    plans = [
        (network, volume_budget(len(folds[fold][0]), cells, job.settings.effort, classes=learns))
        for network, fold in trainings(job)
    ]
    return seconds_of_volumes(job, names, workers, trained=plans)

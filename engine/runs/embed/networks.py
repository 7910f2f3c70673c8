"""networks: the trainings of a run on whole volumes: one on all volumes, and one per fold.

Each training is a unit of the step `networks`, so that workers train in parallel. A fold's network is evaluated on volumes
that it was not trained on; the network trained on all volumes fills the run's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.volumes.networks import model_name, train_on
from .folds import folds_of, trainings
from .objective import task_of
from .settings import EmbedSettings

if TYPE_CHECKING:
    from ....models.replica import Replica


def training_units(job: Job[EmbedSettings], step: str) -> Iterator[Unit]:
    for network, fold in trainings(job):
        yield Unit(step, model_name(network, fold))


def train_network(job: Job[EmbedSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train one network on one fold."""
    network, fold = next(t for t in trainings(job) if model_name(*t) == unit.name)
    rows = folds_of(job)[fold][0]
    return train_on(job, unit, replica, network=network, rows=rows, task=partial(task_of, job, rows))

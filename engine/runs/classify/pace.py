"""pace: the seconds of a run that trains classifiers of films."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from ...pipeline.job import Job
from ...pipeline.spec import Estimate
from ...steps.usual_pace import Trainings, trained_seconds, usual_seconds
from .cohort import has_pretraining
from .folds import network_units
from .plans import network_of, scratch_plan, stage_plan
from .settings import ClassifySettings
from .starts import has_start

UNKNOWN = ("gradcam", "evaluate")
"""Steps that hang on the films of each part."""


def seconds_of_classifiers(
    job: Job[ClassifySettings], sizes: Estimate, names: Collection[str], workers: int
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process). Trainings that stop early take less."""
    unknown = (*UNKNOWN, "pretrained") if has_pretraining(job) else UNKNOWN
    if not {"networks", "probabilities"} & set(names):
        return usual_seconds(job, names, workers, unknown=unknown)
    settings, films = job.settings, sum(record.shape[0] for record in job.slides.values())
    networks = sum(1 for _ in network_units(job, "networks"))
    learned = max(1, round(films * (1 - settings.validation) * (1 - 1 / settings.cv)))
    plan = stage_plan(settings, learned) if has_start(job) else scratch_plan(settings, learned)
    trainings = Trainings(
        (settings.network, settings.side),
        partial(network_of, settings, 2),
        (1, settings.side, settings.side),
        [round(_full_stages(job) * plan.steps * plan.batch)] * networks,
        films,
    )
    train, evaluate = trained_seconds(job, trainings, workers)
    known: dict[str, Any] = {"networks": train, "probabilities": evaluate}
    return usual_seconds(job, names, workers, known=known, unknown=unknown)


def _full_stages(job: Job[ClassifySettings]) -> float:
    """The stages of a network, counted as such in which all blocks learn: a forward pass is a third of a step, and what is
    frozen has no backward pass."""
    from ....models.training.transfer import transfer_stages

    if not has_start(job) or not job.settings.stages:
        return 1.0
    stages = len(transfer_stages(network_of(job.settings, 2)))
    return stages / 3 + (stages + 1) / 3

"""objective: the training objective of networks for whole volumes, with its classes and sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.covariates import covariates
from .settings import EmbedSettings

if TYPE_CHECKING:
    from ....models.training.objective import Objective, Task

CONTRASTIVE = 0.1
"""Usual temperature of supervised contrastive learning, whose embeddings have length 1."""


def objective_of(job: Job[EmbedSettings]) -> Objective:
    """The objective in the settings; `auto` means prototypes if at least two classes are known, else reconstruction."""
    from ....models.training.objective import Objective

    settings = job.settings
    kind = settings.objective
    if kind == "auto":
        kind = "prototypes" if len(covariates(job).classes) > 1 else "reconstruction"
    names = ("alpha", "temperature", "distance", "prototypes", "entropy")
    options = {name: value for name, value in settings if name in names and value is not None}
    if kind == "contrastive":
        options.setdefault("temperature", CONTRASTIVE)
    return Objective(kind, **options, site=settings.adversary or 0.0, class_features=settings.class_features)


def task_of(job: Job[EmbedSettings], rows: Array) -> Task:
    from ....models.training.objective import Task

    what = covariates(job)
    sites = what.sites[rows] if (what.sites >= 0).any() else None
    return Task(objective_of(job), what.labels[rows], sites)

"""pace: the seconds of a run that names the sites of volumes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ...pipeline.job import Job
from ...pipeline.spec import Estimate
from ...steps.usual_pace import Trainings, trained_seconds, usual_seconds
from ...steps.volumes.dataset import grid_of
from .folds import cohort_of
from .networks import training_units
from .settings import SitesSettings
from .volumes import BOX, untrained_network

if TYPE_CHECKING:
    from ....models.networks.classifier import Classifier

UNKNOWN = ("texture", "gradcam", "check")


def seconds_of_sites(
    job: Job[SitesSettings], sizes: Estimate, names: Collection[str], workers: int
) -> dict[str, float | None]:
    """Name of a step -> seconds, by so many workers (0: this process). After its training, each network sees all volumes."""
    from ....models.training.budget import site_budget
    from ....models.training.classification import box_for

    if "networks" not in names:
        return usual_seconds(job, names, workers, unknown=UNKNOWN)
    networks, shape = sum(1 for _ in training_units(job, "networks")), tuple(grid_of(job).shape)
    box, plan = box_for(shape, BOX), site_budget(len(job.slides), job.settings.effort)

    def network() -> Classifier:
        return untrained_network(job, box)

    key = ("site network", box, len(cohort_of(job).names))
    trainings = Trainings(key, network, (1, *box), [plan.steps * plan.batch] * networks)
    seen = Trainings(key, network, (1, *shape), [0] * networks, networks * len(job.slides))
    train, features = trained_seconds(job, trainings, workers)[0], trained_seconds(job, seen, workers)[1]
    known: dict[str, Any] = {"networks": None if train is None or features is None else train + features}
    return usual_seconds(job, names, workers, known=known, unknown=UNKNOWN)

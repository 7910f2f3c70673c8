"""volumes: what the networks of a run on volumes are trained on: prepared volumes, in random boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...pipeline.job import Job
from ...steps.volumes.dataset import Volumes, grid_of
from .folds import cohort_of
from .networks import TrainingSet
from .settings import SitesSettings

if TYPE_CHECKING:
    from ....models.networks.classifier import Classifier

BOX = 32
"""Voxels along each axis of the box that a training step computes on."""
MASKED = 0.15
"""Share of the boxes of which a random region is masked. A box is itself a random part that alone is kept."""
POOL = 3
"""Cells along each axis that the last layer reads means of: sites differ in fields that vary over the head, too."""
SEEN = 1
"""Volumes in a batch when features are computed: whole volumes need much memory."""


def volumes_to_learn(job: Job[SitesSettings]) -> TrainingSet:
    """All prepared volumes, and a network for them."""
    from ....models.training.budget import site_budget
    from ....models.training.classification import ClassificationPlan, box_for
    from ....models.views.regions import RegionViews

    box = box_for(grid_of(job).shape, BOX)
    plan = site_budget(len(job.slides), job.settings.effort)
    return TrainingSet(
        Volumes(job),
        np.arange(len(job.slides)),
        ClassificationPlan(plan.steps, plan.batch, box, RegionViews(mask=MASKED, keep=0.0)),
        untrained_network(job, box),
        SEEN,
    )


def untrained_network(job: Job[SitesSettings], box: tuple[int, ...]) -> Classifier:
    """The network that learns boxes of these sides."""
    from ....models.networks.classifier import Classifier, widths_for
    from ....models.seeds import generator

    return Classifier(
        len(cohort_of(job).names),
        widths=widths_for(box),
        pool=POOL,
        masked=True,
        source=generator(job.settings.seed, "site network"),
    )

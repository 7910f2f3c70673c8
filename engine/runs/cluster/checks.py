"""checks: what a cluster run needs beside its images, checked before any work, and before any result is removed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ....errors import SettingsError
from ...pipeline.documents import find_document, find_run
from ...pipeline.image_documents import read_rejected
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...steps.frozen_encoder import check_encoder
from .documents import CLUSTERS, Clusters
from .match import check_match, is_matched, numbering_to_be
from .numbering import numbering_of
from .settings import NumberOfClusters, ShownSettings, TrainedSettings
from .shown import check_classes, check_level


def check_settings(job: Job[RunSettings]) -> None:
    """Raises SettingsError for an encoder that cannot be used, and MachineError where the objective's package is missing."""
    if isinstance(job.settings, TrainedSettings) and not job.settings.trained:
        raise SettingsError("--trained names no run: give the folder of a finished run of clusters.", "E_TRAINED")
    check_encoder(job)
    if isinstance(job.settings, ShownSettings):
        shown: Job[Any] = job
        if shown.settings.match and not is_matched(shown):
            check_match(shown)
    if isinstance(job.settings, NumberOfClusters) and job.settings.objective == "leiden":
        from ....models.clustering.communities import check_leiden

        check_leiden()


def check_shown(job: Job[ShownSettings], stale: Collection[str]) -> None:
    """Check level, classes and match against the tree that the run has, unless its steps are to be done again.

    Classes go by the numbers that the clusters will have: of a new match, these are found here without writing them.
    """
    is_new = "match" in stale or not is_matched(job)
    tree = find_document(job.folder, CLUSTERS, Clusters)
    tree = None if "order_clusters" in stale else tree
    if tree:
        check_level(tree, job.settings)
    if tree and not is_new:
        check_classes(tree, numbering_of(job, tree), job.settings)
    elif tree and _is_applied(job, stale):
        check_classes(tree, numbering_to_be(_accepted(job), tree), job.settings)
    elif job.settings.match:
        check_match(job)


def _is_applied(job: Job[ShownSettings], stale: Collection[str]) -> bool:
    """Whether all images have their layers, and keep them."""
    names, run = [step.name for step in job.pipeline.stages["apply"]], find_run(job.folder)
    return run is not None and run.is_complete(names) and not set(names) & set(stale)


def _accepted(job: Job[ShownSettings]) -> Job[ShownSettings]:
    """The job without the images that a step rejected, which have no layers."""
    rejected = read_rejected(job.folder)
    return replace(job, slides={slide: record for slide, record in job.slides.items() if slide not in rejected})

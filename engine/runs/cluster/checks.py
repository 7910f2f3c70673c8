"""checks: what a cluster run needs beside its images, checked before any work, and before any result is removed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ....errors import SettingsError
from ....stores.folder import Folder
from ....stores.remote import to_path
from ...pipeline.documents import find_document, find_run
from ...pipeline.image_documents import read_rejected
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...steps.frozen_encoder import check_encoder
from ...steps.settings import SampledSettings
from .documents import CLUSTERS, Clusters
from .match import check_match, is_matched, numbering_to_be
from .normalize import check_coloured
from .numbering import numbering_of
from .settings import NumberOfClusters, ShownSettings, StainSettings, TrainedSettings
from .shown import check_classes, check_level, check_merges, check_most
from .trained import check_channels


def check_settings(job: Job[RunSettings]) -> None:
    """Raises SettingsError for an encoder, networks of a run or a normalisation that cannot be used with these images, and
    MachineError where the objective's package is missing."""
    if isinstance(job.settings, TrainedSettings) and not job.settings.trained:
        raise SettingsError("--trained names no run: give the folder of a finished run of clusters.", "E_TRAINED")
    check_encoder(job)
    if isinstance(job.settings, TrainedSettings):
        check_channels(job)
    if isinstance(job.settings, StainSettings):
        check_coloured(job)
    if isinstance(job.settings, ShownSettings):
        shown: Job[Any] = job
        if shown.settings.match and not is_matched(shown):
            check_match(shown)
    if isinstance(job.settings, NumberOfClusters) and job.settings.objective == "leiden":
        from ....models.clustering.communities import check_leiden

        check_leiden()


def check_shown(job: Job[ShownSettings], stale: Collection[str]) -> None:
    """Check level, classes and match against the tree that the run has; where it has none, or its steps are to be done again,
    against the tree of the run whose networks it takes, or what no tree of these settings has.

    Classes go by the numbers that the clusters will have: of a new match, these are found here without writing them.
    """
    is_new = "match" in stale or not is_matched(job)
    tree = find_document(job.folder, CLUSTERS, Clusters)
    tree = None if "order_clusters" in stale else tree
    if tree:
        check_level(tree, job.settings)
    else:
        _check_ahead(job)
    if tree and not is_new:
        check_classes(tree, numbering_of(job, tree), job.settings)
    elif tree and _is_applied(job, stale):
        check_classes(tree, numbering_to_be(_accepted(job), tree), job.settings)
    elif job.settings.match:
        check_match(job)


def _check_ahead(job: Job[ShownSettings]) -> None:
    """Raises SettingsError (E_LEVEL, E_CLASSES) for a level and classes that the tree to come cannot have, before any work."""
    settings = job.settings
    check_merges(settings)
    if isinstance(settings, TrainedSettings):
        tree = find_document(Folder(to_path(settings.trained).parent.parent), CLUSTERS, Clusters)
        if tree:
            check_level(tree, settings)
            if not settings.match:
                check_classes(tree, numbering_to_be(job, tree), settings)
    elif isinstance(settings, NumberOfClusters) and isinstance(settings, SampledSettings):
        if settings.k[1] > settings.samples:
            raise SettingsError(
                f"--k goes up to {settings.k[1]} clusters of the {settings.samples} patches of --samples: a cluster needs at "
                "least one. Use more samples, or fewer clusters."
            )
        if not settings.level and not settings.classes:
            return
        from ....models.clustering.division import most_fine_clusters

        check_most(most_fine_clusters(settings.k[1], settings.samples), settings)


def _is_applied(job: Job[ShownSettings], stale: Collection[str]) -> bool:
    """Whether all images have their layers, and keep them."""
    names, run = [step.name for step in job.pipeline.stages["apply"]], find_run(job.folder)
    return run is not None and run.is_complete(names) and not set(names) & set(stale)


def _accepted(job: Job[ShownSettings]) -> Job[ShownSettings]:
    """The job without the images that a step rejected, which have no layers."""
    rejected = read_rejected(job.folder)
    return replace(job, slides={slide: record for slide, record in job.slides.items() if slide not in rejected})

"""checks: what a cluster run needs beside its images, checked before any work."""

from __future__ import annotations

from ....errors import SettingsError
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...steps.frozen_encoder import check_encoder
from .match import check_match
from .settings import NumberOfClusters, ShownSettings, TrainedSettings


def check_settings(job: Job[RunSettings]) -> None:
    """Raises SettingsError for an encoder that cannot be used, and MachineError where the objective's package is missing."""
    if isinstance(job.settings, TrainedSettings) and not job.settings.trained:
        raise SettingsError("--trained names no run: give the folder of a finished run of clusters.", "E_TRAINED")
    check_encoder(job)
    if isinstance(job.settings, ShownSettings):
        check_match(job, job.settings.match)
    if isinstance(job.settings, NumberOfClusters) and job.settings.objective == "leiden":
        from ....models.clustering.communities import check_leiden

        check_leiden()

"""checks: what a cluster run needs beside its images, checked before any work."""

from __future__ import annotations

from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from ...steps.frozen_encoder import check_encoder
from .settings import NumberOfClusters


def check_settings(job: Job[RunSettings]) -> None:
    """Raises SettingsError for an encoder that cannot be used, and MachineError where the objective's package is missing."""
    check_encoder(job)
    if isinstance(job.settings, NumberOfClusters) and job.settings.objective == "leiden":
        from ....models.clustering.communities import check_leiden

        check_leiden()

"""encode: embeddings of new volumes and patches, by the run's own network."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from .run_spelling import spelt_as_run

LOG = logging.getLogger("tile_engine")


def encode(job: Job[Any], specs: list[str]) -> tuple[list[ImageRecord], Array]:
    """Records and embeddings, float32 (n, features), of volumes that the run does not know. Raises SettingsError (E_QUERY).

    Subjects, sites and classes are spelt as those of the run; what was spelt otherwise goes to the logger `tile_engine`.
    """
    if job.pipeline.encode is None:
        raise SettingsError(
            f"a run of `{job.pipeline.called}` cannot encode new files: the query must be a case of the run.", "E_QUERY"
        )
    records, embeddings = job.pipeline.encode(job, specs)
    records, notes = spelt_as_run(records, list(job.slides.values()), job.settings.class_column)
    for note in notes:
        LOG.warning(note)
    return records, np.asarray(embeddings, np.float32)


def encoded(job: Job[Any], patches: Array) -> Array:
    """Embeddings of patches, float32 (n, features); batches are padded to the batch size of `apply`."""
    from ..steps.apply import BATCH, trained

    def batches() -> Any:
        for first in range(0, len(patches), BATCH):
            some = patches[first : first + BATCH]
            yield np.concatenate([some, np.repeat(some[-1:], BATCH - len(some), 0)])

    rows = [np.asarray(cells["embedding"]).reshape(BATCH, -1) for cells in trained(job)(batches())]
    return np.concatenate(rows)[: len(patches)].astype(np.float32)

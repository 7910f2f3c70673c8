"""encode_new: embeddings of volumes that the run does not know, by its trained network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....errors import NoInputError, SlideError
from ....stores.frame import Array
from ....stores.volumes.cohort import find_volumes
from ....stores.volumes.reader import open_volume
from ...images.opening import inspect_volumes
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...steps.volumes.encode import ENCODED
from ...steps.volumes.networks import load_network, model_name
from ...steps.volumes.prepare import new
from .settings import EmbedSettings

LOG = logging.getLogger("tile_engine")


def encode(job: Job[EmbedSettings], specs: Sequence[str]) -> tuple[list[ImageRecord], Array]:
    """Records and embeddings (n, F), float32, of volumes that the run does not know, by its trained network.

    A volume that cannot be encoded is skipped, as is one of several channels, of which the network sees one. That, and what
    the columns of a list were taken for, goes to the logger `tile_engine`, which a command shows on standard error. Raises
    NoInputError if no volume can be encoded.
    """
    from ....models.training.encoding import embeddings_of
    from .evaluate import best

    settings = job.settings
    paths = [str(s) for s in specs]
    cohort = find_volumes(paths, t=settings.t, channels=settings.channels, suffix=settings.suffix)
    inspected = inspect_volumes(cohort, labels=settings.labels, channels=1)
    network = load_network(job, model_name(best(job)))
    records: list[ImageRecord] = []
    rows: list[Array] = []
    if settings.harmonized_run:
        LOG.warning(
            "the volumes of this run were harmonized; a new one is compared as it is, unless it was harmonized too"
        )
    reasons = [f"{r.name} [{r.code}]: {r.message}" for r in inspected.rejected.values()]
    for record in inspected.slides.values():
        try:
            with open_volume(Path(record.path), record.subimage) as volume:
                rows.append(embeddings_of(network, new(job, record, volume), ENCODED))
            records.append(record)
        except SlideError as error:
            reasons.append(f"{record.name} [{error.code}]: {error.message}")
    if not records:
        raise NoInputError("none of these volumes can be encoded:\n  " + "\n  ".join(reasons[:10]))
    for text in (*inspected.notes, *inspected.warnings, *(f"left out: {reason}" for reason in reasons)):
        LOG.warning(text)
    return records, np.concatenate(rows)

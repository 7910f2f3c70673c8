"""Embeddings of a search query by the run's own network."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...stores.frame import Array
from ..pipeline.job import Job
from ..pipeline.record import SlideRecord


def encode(job: Job, specs: list[str]) -> tuple[list[SlideRecord], Array]:
    """What the run's network makes of volumes that the run does not know."""
    from ..runs.embed import encode_new as embed

    records, codes = embed.encode(job, specs)
    return list(records), np.asarray(codes, np.float32)


def encoded(job: Job, patches: Array) -> Array:
    """What the run's network makes of patches, float32 (n, features); each batch is of the size that `apply` has."""
    from ..steps.apply import BATCH, trained

    def batches() -> Any:
        for first in range(0, len(patches), BATCH):
            some = patches[first : first + BATCH]
            yield np.concatenate([some, np.repeat(some[-1:], BATCH - len(some), 0)])

    rows = [np.asarray(cells["embedding"]).reshape(BATCH, -1) for cells in trained(job)(batches())]
    return np.concatenate(rows)[: len(patches)].astype(np.float32)

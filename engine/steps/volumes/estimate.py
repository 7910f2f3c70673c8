"""forecast: the size of a run on volumes, computed before it begins: volumes, voxels, bytes on disk, memory."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ....stores.files import bytes_below
from ...pipeline.job import Job
from .dataset import IN_MEMORY

BEGINNING = 600_000_000
"""Bytes, at most, that training needs to initialise from components: the values it reads, and arrays derived from them."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Sizes of a run on volumes. Bytes on disk count files in OUT."""

    volumes: int
    voxels: int
    shape: tuple[int, ...]
    """(z, y, x) of the network's input."""
    disk: int
    """Bytes that OUT will hold at most."""
    present: int
    """Bytes that OUT holds already."""
    memory: int
    """Approximate bytes of memory that one worker needs."""
    units: dict[str, int]

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """One line that describes the forecast, shown before work begins."""
        return (
            f"{self.volumes} volumes, {self.voxels / 1e6:,.0f} million voxels; the network sees "
            f"{' x '.join(map(str, self.shape))}; {self.disk / 1e9:.2f} GB on disk at most; about "
            f"{self.memory / 1e6:,.0f} MB a worker"
        )


def forecast(job: Job[Any]) -> Forecast:
    """Sizes from the volumes' shapes; `disk` is an upper bound, as the compression ratio is not known yet."""
    from ....models.training.budget import volume_budget

    records = job.slides.values()
    raw_bytes = sum(math.prod(r.native_shape) * r.channels * np.dtype(r.dtype).itemsize for r in records)
    shape = job.settings.grid(list(records)).shape
    cells = math.prod(shape)
    cache_bytes = min(IN_MEMORY, 2 * cells * len(job.slides))
    largest_volume = max(math.prod(r.native_shape) for r in records)
    training_bytes = max(80 * cells * volume_budget(len(job.slides), cells).batch, min(BEGINNING, 20_000 * cells))
    return Forecast(
        volumes=len(job.slides),
        voxels=sum(math.prod(r.native_shape) for r in records),
        shape=shape,
        disk=round(1.15 * raw_bytes) + 2 * len(job.slides) * math.prod(shape),
        present=bytes_below(job.folder.out / "volumes") + bytes_below(job.folder.samples),
        memory=400_000_000 + max(24 * largest_volume, training_bytes + cache_bytes),
        units=job.unit_counts,
    )

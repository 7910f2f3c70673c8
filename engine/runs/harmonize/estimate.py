"""forecast: the size of a run that harmonizes, computed before it begins."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ....stores.files import bytes_below
from ...pipeline.job import Job
from .pieces import IN_MEMORY
from .settings import HarmonizeSettings
from .sites import sites_of

WORKING = 1_000_000_000
"""Bytes of a worker beside images: libraries, a shard with its halo, activations of a tile."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Sizes of a run. Bytes on disk count files in OUT."""

    images: int
    harmonized: int
    seen: int
    """Images that training sees."""
    cells: int
    """Cells of the images that are harmonized."""
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
            f"{self.harmonized} of {self.images} images are harmonized, training sees {self.seen}; "
            f"{self.cells / 1e6:,.0f} million cells; "
            f"{self.disk / 1e9:.2f} GB on disk at most; about {self.memory / 1e6:,.0f} MB a worker"
        )


def forecast(job: Job[HarmonizeSettings]) -> Forecast:
    """Sizes from the images' shapes; `disk` is an upper bound, as the compression ratio is not known yet."""
    sites = sites_of(job)

    def size(image: str) -> int:
        record = job.slides[image]
        return math.prod(record.shape) * record.channels * np.dtype(record.dtype).itemsize

    stored, versions = sum(map(size, job.slides)), sum(map(size, sites.harmonized))
    trained = 2 * sum(map(size, (i for images in sites.of_site.values() for i in images)))
    folder = job.folder.out / job.modality.name
    return Forecast(
        images=len(job.slides),
        harmonized=len(sites.harmonized),
        seen=sum(len(sites.fitted(site)) for site in sites.of_site),
        cells=sum(math.prod(job.slides[image].shape) for image in sites.harmonized),
        disk=round(1.4 * (stored + versions)),
        present=bytes_below(folder),
        memory=WORKING + min(IN_MEMORY, trained),
        units={stage: sum(1 for s in steps for _ in s.units(job)) for stage, steps in job.pipeline.stages.items()},
    )

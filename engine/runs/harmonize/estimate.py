"""forecast: the size of a run that harmonizes, computed before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ....models.networks.generators import PLANES, generator_of
from ....stores.files import bytes_below
from ...pipeline.job import Job
from ...steps.convert.geometry import convert_bytes
from .apply import TILES, halo_on
from .gan import BATCHES
from .pieces import IN_MEMORY
from .settings import HarmonizeSettings
from .sites import sites_of

WORKING = 1_000_000_000
"""Bytes of a worker beside images: libraries, a shard with its halo, activations of a tile of the light generator."""
ACTIVATIONS = {"unet": 8, "resnet": 5}
"""Generator of a CycleGAN -> numbers that it holds for each cell of a tile and channel of its first block (measured)."""
KEPT = {"unet": 35, "resnet": 48}
"""The same numbers of a generator in training, which keeps them for the way back (measured)."""
PASSES = 6
"""Times that a training step applies a generator and keeps what the way back needs."""
SLICED = 6
"""Copies of a tile that a generator of slices holds: of its planes along an axis, of their results, and of the sum."""


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
        memory=WORKING
        + max(min(IN_MEMORY, trained) + training_bytes(job), tile_bytes(job, sites.harmonized), convert_bytes(job)),
        units=job.unit_counts,
    )


def tile_bytes(job: Job[HarmonizeSettings], images: Sequence[str]) -> int:
    """Bytes that the largest tile of these images needs on a worker's CPU while a CycleGAN's generator is applied to it."""
    settings = job.settings
    if settings.generator == "light" or settings.device == "cuda":
        return 0
    side = settings.tile or TILES[len(job.modality.axes)]
    kind, axes = settings.generator, settings.network_axes
    field = generator_of({"kind": kind, "channels": 1, "axes": axes, "width": 1}).field
    wide = side + 2 * halo_on(field, settings.halo)
    each = 4 * ACTIVATIONS[kind] * settings.first_width
    sizes = []
    for image in images:
        sides = sorted(min(wide, -(-n // field.stride) * field.stride) for n in job.slides[image].shape)
        cells = math.prod(sides)
        sliced = axes < len(sides)
        sizes.append(each * PLANES * math.prod(sides[1:]) + 4 * SLICED * cells if sliced else each * cells)
    return max(sizes, default=0)


def training_bytes(job: Job[HarmonizeSettings]) -> int:
    """Bytes of the activations of one step of a CycleGAN's training on a CPU."""
    settings = job.settings
    if settings.generator == "light" or settings.device == "cuda":
        return 0
    axes = settings.network_axes
    cells: int = BATCHES[axes] * settings.piece_side**axes
    return 4 * KEPT[settings.generator] * settings.first_width * cells * PASSES

"""estimate: the size of a run, computed before it begins: units, patches, bytes on disk, memory."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

from ...errors import SlideError
from ...stores.cache import is_copied, near
from ...stores.files import bytes_below
from ...stores.remote import to_path
from ..pipeline.job import Job
from ..steps.settings import PatchSettings, SampledSettings
from ..workers.child import GoneError, each
from .apply import cells_along
from .convert.geometry import convert_bytes, image_spec
from .packed import packed_in_child
from .sample.draw import PER_AREA
from .sample.patches import patch_of, patches_spec, shards_per_unit

CODE = 128
"""Dimensions of an embedding, for each size of patch."""
ESTIMATE_LIMIT_SECONDS = 30.0
"""Seconds that measuring the compression may take, at most: an estimate is not worth more."""
FEW_TILES = 100
"""Tiles of a cohort below which hardly anything can be learned of them."""
FEW = "So few tiles are hardly enough to learn from: take a finer --spacing, a smaller --patch, or more images."
LOOKS = 3
"""Number of slides from which one block is compressed, to measure the cohort's compression ratio."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes of a run. Bytes on disk count files in OUT."""

    slides: int
    pixels: int
    """At the run's spacing."""
    spacing: float
    images: str
    """"slides" or "volumes"."""
    amount: str
    """Number of pixels or voxels, as text."""
    units: dict[str, int]
    tiles: int
    """Cells of the tile grid; only those on tissue are computed."""
    samples: int
    """Patches to train on, at most."""
    raw: int
    """Bytes of all stored levels before compression."""
    ratio: float
    """Compressed bytes by raw bytes, measured on this cohort."""
    disk: int
    """Approximate bytes that OUT will hold."""
    present: int
    """Bytes that OUT holds already."""
    memory: int
    """Approximate bytes of memory that one worker needs."""

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """One line that describes the estimate, shown before work begins."""
        overlap = ", which overlap" if self.samples > self.tiles else ""
        trained = f"{self.samples:,} patches to train on at most{overlap}; " if self.samples else ""
        few = f". {FEW}" if self.samples and self.tiles < FEW_TILES else ""
        return (
            f"{self.slides} {self.images}, {self.amount}; store {self.raw / 1e9:.2f} GB, "
            f"about {self.disk / 1e9:.2f} GB on disk; {self.tiles:,} tiles at most, {trained}about "
            f"{self.memory / 1e6:,.0f} MB a worker{few}"
        )


def estimate(job: Job[PatchSettings]) -> Estimate:
    """Sizes from the slides' shapes, and a compression ratio measured on one block of each of a few slides."""
    from ...models.training.budget import budget

    specs = [image_spec(job, slide) for slide in job.slides]
    raw = sum(spec.nbytes for spec in specs)
    flat = job.modality.planar
    ratio = _ratio(job) if flat else 1.0
    step, patch = job.settings.step, math.prod(patch_of(job))
    bytes_each = 1 if flat else 2
    pixels = sum(r.frame.box.size for r in job.slides.values())
    tiles = sum(_cells(record.shape, step) for record in job.slides.values())
    channels = max(spec.channels or 1 for spec in specs)
    samples = sampling = 0
    if isinstance(job.settings, SampledSettings):  # a run that trains a network
        samples = min(job.settings.samples, budget(max(1, PER_AREA * pixels // patch)).patches)
        stored = patches_spec(cast("Job[SampledSettings]", job), samples)
        sampling = 1 + -(-samples // (shards_per_unit(stored) * stored.shard[0]))
    code = CODE * len(job.settings.sides)
    layers = tiles * (2 * code + 4 + 3)
    disk = round(raw * ratio + layers + samples * (bytes_each * channels * patch * ratio + 16 * code))
    units = {"convert": 0, "apply": 0}
    for record in job.slides.values():
        units["convert"] += _cells(record.shape, job.modality.cut.block[0]) + 1
        units["apply"] += _cells(record.shape, cells_along(job) * step) + 1
    units |= {"sample": sampling or 1, "train": 4, "map": len(job.slides) + 2}
    units = {stage: units[stage] for stage in job.pipeline.stages}
    block = (cells_along(job) * step + job.settings.side) ** len(patch_of(job))
    memory = 400_000_000 + max(bytes_each * channels * max(samples * patch, block), convert_bytes(job))
    return Estimate(
        slides=len(job.slides),
        pixels=pixels,
        spacing=job.spacing,
        images=job.modality.plural,
        amount=job.modality.amount(pixels, job.spacing),
        units=units,
        tiles=tiles,
        samples=samples,
        raw=raw,
        ratio=round(ratio, 3),
        disk=disk,
        present=bytes_below(job.folder.out / job.modality.name),
        memory=memory,
    )


def _cells(shape: tuple[int, ...], side: int) -> int:
    return math.prod(-(-n // side) for n in shape)


def _ratio(job: Job[PatchSettings]) -> float:
    """Compressed bytes by raw bytes of one block in the middle of each of a few slides; 1 where none can be read."""
    records = list(job.slides.values())
    records = records[:: max(1, len(records) // LOOKS)][:LOOKS]
    looks = [
        [r.path, r.mpp, r.subimage, job.spacing, r.shape, job.settings.codec, (r.reader, r.levels, r.native_shape)]
        for r in records
    ]
    if any(is_copied(to_path(r.path)) for r in records):  # the time limit covers the measurement, not the copying
        pairs = []
        for record, look in zip(records, looks, strict=True):
            with suppress(SlideError), near(to_path(record.path), record.fingerprint) as path:
                pairs += each(packed_in_child, [[str(path), *look[1:]]], ESTIMATE_LIMIT_SECONDS, alone=False)
    else:
        pairs = each(packed_in_child, looks, ESTIMATE_LIMIT_SECONDS, alone=False)
    sizes = [pair for pair in pairs if not isinstance(pair, GoneError)]
    size = sum(raw for raw, _ in sizes)
    return min(1.05, sum(packed for _, packed in sizes) / size) if size else 1.0

"""forecast_sections: the size of a run that registers sections, computed before it begins."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ....stores.files import bytes_below
from ...pipeline.job import Job
from ..convert.geometry import image_spec
from .overviews import SIDE
from .settings import SectionSettings

RATIO = 0.6
"""Compressed bytes by raw ones of tissue with zstd, at most about."""
BYTES_OF_FIT = 60
"""Bytes of memory for a pixel of the two pictures that are registered, about."""


@dataclass(frozen=True, slots=True)
class SectionForecast:
    """Sizes of a run on sections. Bytes on disk count files in OUT."""

    blocks: int
    sections: int
    pairs: int
    stains: int
    spacing: float
    raw: int
    """Bytes of all stored levels before compression."""
    disk: int
    present: int
    memory: int
    units: dict[str, int]

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """One line that describes the forecast, shown before work begins."""
        blocks = "1 block" if self.blocks == 1 else f"{self.blocks:,} blocks"
        return (
            f"{blocks} of {self.sections:,} sections in {self.stains} stains, {self.pairs:,} pairs to register, at "
            f"{self.spacing:g} um; about {self.disk / 1e9:.2f} GB on disk; about {self.memory / 1e6:,.0f} MB a worker"
        )


def forecast_sections(job: Job[SectionSettings]) -> SectionForecast:
    """Sizes from the shapes of the sections."""
    records = list(job.slides.values())
    raw = sum(image_spec(job, image).nbytes for image in job.slides)
    side = max(SIDE, job.settings.resolution)
    sections = sum(len(record.sections) for record in records)
    return SectionForecast(
        blocks=len(records),
        sections=sections,
        pairs=sections - len(records),
        stains=max(len(record.stains) for record in records),
        spacing=job.spacing,
        raw=raw,
        disk=round(RATIO * raw + sections * 3 * side**2),
        present=bytes_below(job.folder.out / job.modality.name),
        memory=400_000_000 + BYTES_OF_FIT * side**2 + 100_000_000 * max(len(record.stains) for record in records),
        units=job.unit_counts,
    )

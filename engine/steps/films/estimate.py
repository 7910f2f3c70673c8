"""forecast_films: the size of a run on films, computed before it begins: films, bytes on disk, memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ....stores.files import bytes_below
from ...pipeline.job import Job
from .rows import IN_MEMORY
from .settings import FilmSettings

BYTES_OF_NUMBERS = 200
"""Bytes of all properties and texts of one film, about."""


@dataclass(frozen=True, slots=True)
class FilmForecast:
    """Sizes of a run on films. Bytes on disk count files in OUT."""

    films: int
    files: int
    side: int
    """Pixels of the prepared films."""
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
            f"{self.films:,} films of {self.files:,} files, reduced to {self.side} x {self.side}; {self.disk / 1e9:.2f} GB on "
            f"disk at most; about {self.memory / 1e6:,.0f} MB a worker"
        )


def forecast_films(job: Job[FilmSettings]) -> FilmForecast:
    """Sizes from the number of films; `disk` is an upper bound, as the compression ratio is not known yet."""
    films = sum(record.shape[0] for record in job.slides.values())
    cells = films * job.settings.side**2
    batch = max(record.shape[0] for record in job.slides.values()) * job.settings.side**2
    return FilmForecast(
        films=films,
        files=len({(file.path, file.part) for record in job.slides.values() for file in record.films}),
        side=job.settings.side,
        disk=round(1.05 * cells * (1 + job.settings.map_bytes)) + films * BYTES_OF_NUMBERS,
        present=bytes_below(job.folder.films),
        memory=500_000_000 + min(IN_MEMORY, cells) + 8 * batch,
        units=job.unit_counts,
    )

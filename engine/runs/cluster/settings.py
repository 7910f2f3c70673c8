"""Settings of runs that find clusters."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ...pipeline.settings import RunSettings
from ...steps.settings import SlideSettings, TileSettings, VolumeTileSettings


class NumberOfClusters(RunSettings):
    """Which clusters are looked for."""

    objective: Literal["iic", "imsat"] = Field("imsat", description="what the clustering head maximises")
    k: tuple[int, int] = Field((2, 20), description="number of clusters: '14', '2-20', or 'auto' for 2-20")
    seeds: int = Field(5, ge=1, le=20, description="initialisations of every head")

    @field_validator("k", mode="before")
    @classmethod
    def _clusters(cls, value: Any) -> Any:
        if isinstance(value, int):
            return (value, value)
        if isinstance(value, str):
            text = value.strip().lower()
            if text == "auto":
                return (2, 20)
            ends = text.replace("..", "-").replace(":", "-").split("-")
            if len(ends) in (1, 2) and all(e.strip().isdecimal() for e in ends):
                return (int(ends[0]), int(ends[-1]))
            raise ValueError(f"{value!r} is neither a number, nor a range such as 2-20, nor auto")
        return value

    @model_validator(mode="after")
    def _range(self) -> NumberOfClusters:
        low, high = self.k
        if not 2 <= low <= high <= 100:
            raise ValueError(f"k: clusters run from 2 to 100, lower end first; got {low} to {high}")
        return self


class ClusterSettings(NumberOfClusters, TileSettings, SlideSettings):
    """Every setting of `run cluster` and its stages, with its default. Lengths are pixels at the run's spacing unless said."""


class VolumeClusterSettings(NumberOfClusters, VolumeTileSettings):
    """Every setting of `run cluster --volumes`, with its default."""

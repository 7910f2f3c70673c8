"""settings: settings of runs that find clusters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ...pipeline.option import FIND, TRY, Option
from ...pipeline.settings import RunSettings
from ...steps.settings import SlideSettings, TileSettings, VolumeTileSettings


class NumberOfClusters(RunSettings):
    """Settings of clustering: number of clusters, objective, seeds."""

    k: Annotated[tuple[int, int], Option(FIND, ("train",), "auto", "K", int | str)] = Field(
        (2, 20), description="Number of clusters: one such as 14, a range such as 2-20, or auto for 2-20."
    )
    objective: Annotated[Literal["iic", "imsat"], Option(FIND, ("train",))] = Field(
        "imsat", description="What the clustering head maximises."
    )
    seeds: Annotated[int, Option(TRY, ("train",))] = Field(
        5, ge=1, le=20, description="Initialisations of every clustering head; the best is kept."
    )

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
            raise ValueError(f"k: use 2 to 100 clusters, the smaller number of a range first; got {low} to {high}")
        return self


class ClusterSettings(NumberOfClusters, TileSettings, SlideSettings):
    """Every setting of `run cluster` and its stages, with its default.

    Lengths are pixels at the run's spacing unless stated otherwise.
    """


class VolumeClusterSettings(NumberOfClusters, VolumeTileSettings):
    """Every setting of `run cluster --volumes`, with its default."""

"""settings: settings of runs that find clusters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ...pipeline.option import FIND, TRY, WRITE, Option
from ...pipeline.settings import RunSettings
from ...steps.sections.settings import SectionSettings
from ...steps.settings import (
    VOLUME_PATCH,
    EncoderSettings,
    PatchSettings,
    PatchSide,
    SlideSettings,
    TileSettings,
    VolumeSettings,
    VolumeTileSettings,
)
from .classes import Classes, read_classes
from .old_run import Match, match_as_begun, read_match
from .trained import stains_of_run, with_settings_of_run

OBJECTIVE_TEXT = (
    "How clusters are found: by a network (imsat and iic maximise information, scan and temi join neighbours), kmeans, along "
    "the graph of nearest neighbours (graph, leiden), or auto: graph where kinds are separate, else kmeans. Of subjects: "
    "graph, kmeans, ward or auto."
)
Objective = Literal["auto", "imsat", "iic", "scan", "temi", "kmeans", "graph", "leiden"]
LEARNED: frozenset[Objective] = frozenset({"imsat", "iic", "scan", "temi"})
"""Objectives by which a network is trained; `auto` never chooses one of them."""
MAX_CLUSTERS = 100
"""Clusters that a run may be asked for, at most."""


class LevelSettings(RunSettings):
    """The level of a tree of clusters that is shown."""

    level: Annotated[int, Option(WRITE, ("map",), "the recommended one", "K", kept=True)] = Field(
        0,
        ge=0,
        le=MAX_CLUSTERS,
        description="Level of the tree of clusters that labels, tables and maps show: 2 to the finest.",
    )

    @field_validator("level")
    @classmethod
    def _level(cls, value: int) -> int:
        if value == 1:
            raise ValueError("level: a map has at least 2 clusters; 0 stands for the recommended level")
        return value


class ShownSettings(LevelSettings):
    """Settings of what is shown of a tree of clusters."""

    classes: Annotated[Classes, Option(WRITE, ("map",), "cluster 1, cluster 2 ...", "CSV", str, kept=True)] = Field(
        (),
        description="Names, colours and merges of clusters: a CSV with the columns cluster, name, colour, into, such as an "
        "edited clusters.csv of the run. A row takes effect at the levels that have its clusters.",
    )

    match: Annotated[Match, Option(WRITE, ("map",), "none", "OLD_RUN", str, kept=True)] = Field(
        (),
        description="Clusters take the numbers, colours and names of the corresponding clusters of this finished run; "
        "corresponding are those with most tiles in common, on images that both runs have.",
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _classes(cls, value: Any) -> Any:
        return read_classes(value) if isinstance(value, (str, Path)) and value else value or ()

    @field_validator("match", mode="before")
    @classmethod
    def _match(cls, value: Any) -> Any:
        return read_match(value) if isinstance(value, (str, Path)) and value else value or ()

    def as_begun(self, earlier: Mapping[str, Any] | None) -> Self:
        """A match with a run that is gone by now is the one that was recorded."""
        return super().as_begun(earlier).model_copy(update={"match": match_as_begun(self.match, earlier or {})})


class KSettings(RunSettings):
    """The number of clusters."""

    k: Annotated[tuple[int, int], Option(FIND, ("train",), "auto", "K", int | str)] = Field(
        (2, 20), description="Number of clusters: one such as 14, a range such as 2-20, or auto for 2-20."
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
    def _range(self) -> KSettings:
        low, high = self.k
        if not 2 <= low <= high <= MAX_CLUSTERS:
            raise ValueError(
                f"k: use 2 to {MAX_CLUSTERS} clusters, the smaller number of a range first; got {low} to {high}"
            )
        return self


class NumberOfClusters(KSettings, ShownSettings):
    """Settings of clustering: number of clusters, objective, seeds."""

    objective: Annotated[Objective, Option(FIND, ("train",), metavar="NAME")] = Field(
        "auto", description=OBJECTIVE_TEXT
    )
    seeds: Annotated[int, Option(TRY, ("train",))] = Field(
        5, ge=1, le=20, description="Initialisations of the objective; the best is kept."
    )

    @property
    def several_views(self) -> bool:
        """Whether the objective learns from several views of each patch; the classical ones see the unchanged patch alone."""
        return self.objective in LEARNED

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "several_views": self.several_views}


_STAINS_TEXT = (
    "Slides in several stains (by the list's column `stain`, else by their colours), or blocks of sections: each stain "
    "clustered on its own, in a run and a folder of its own, or all together in one run."
)


class StainSettings(RunSettings):
    """Settings of what is done about the stains of slides."""

    stains: Annotated[Literal["apart", "together"], Option(FIND)] = Field("apart", description=_STAINS_TEXT)
    normalize: Annotated[Literal["none", "macenko", "reinhard"], Option(FIND, ("sample",))] = Field(
        "none",
        description="Normalise the stains of all slides to one of them before a network sees them, for one stain from several "
        "laboratories or scanners: by stain vectors (macenko) or by the statistics of colours (reinhard).",
    )


class ClusterSettings(NumberOfClusters, StainSettings, TileSettings, EncoderSettings, SlideSettings):
    """Every setting of `run cluster` and its stages, with its default.

    Lengths are pixels at the run's spacing unless stated otherwise.
    """


class StackSettings(SectionSettings):
    """Settings of runs that cluster blocks."""

    stain: Annotated[str, Option(FIND, (), "all stains of a block together", "NAME")] = Field(
        "",
        description="Cluster the blocks by this one stain alone, on the grid of their reference: what `--stains apart` does "
        "for each stain in turn.",
    )

    @property
    def only_stain(self) -> str:
        return self.stain


class SectionClusterSettings(StackSettings, NumberOfClusters, TileSettings):
    """Every setting of `run cluster --sections`, with its default: a patch has three channels a stain."""

    stains: Annotated[Literal["apart", "together"], Option(FIND)] = Field("together", description=_STAINS_TEXT)

    @model_validator(mode="after")
    def _one_way(self) -> SectionClusterSettings:
        if self.stain and self.stains == "apart":
            raise ValueError(
                f"stain: {self.stain} is one stain, and stains=apart clusters by each in turn: give one of both"
            )
        return self


class VolumeClusterSettings(NumberOfClusters, VolumeTileSettings):
    """Every setting of `run cluster --volumes`, with its default."""


class TrainedSettings(ShownSettings, PatchSettings):
    """Settings of clustering by the networks of a finished run; what the networks decide is taken from that run."""

    trained: Annotated[str, Option(FIND, ("train",), "none", "OUT")] = Field(
        "",
        description="Cluster by the networks of this finished run, without training: the same clusters, numbers and colours.",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_trained(cls, values: Any) -> Any:
        return with_settings_of_run(values, cls.model_fields.keys()) if isinstance(values, dict) else values


class TrainedClusterSettings(TrainedSettings, SlideSettings):
    """Every setting of `run cluster --slides --trained`, with its default."""


class TrainedSectionSettings(StackSettings, TrainedSettings):
    """Every setting of `run cluster --sections --trained`, with its default."""

    @property
    def known_stains(self) -> tuple[str, ...]:
        return stains_of_run(self.trained) if self.trained else ()


class TrainedVolumeSettings(TrainedSettings, VolumeSettings):
    """Every setting of `run cluster --volumes --trained`, with its default."""

    patch: PatchSide = VOLUME_PATCH

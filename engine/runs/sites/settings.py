"""SitesSettings, SlideSitesSettings: the settings of a run that names the site of volumes, or of slides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator, model_validator

from ....models.training.budget import EFFORT_FACTORS
from ...pipeline.option import READ, TRY, Option
from ...pipeline.settings import RunSettings
from ...steps.settings import LARGE_PATCH, PatchSide, SampledSettings, SlideSettings
from ...steps.volumes.settings import PreparedSettings

if TYPE_CHECKING:
    from ...pipeline.record import ImageRecord
    from ...steps.volumes.grid import Grid

LEAST_SIDE = 16
"""Voxels along the shortest side that the network can halve twice."""
MAX_GRID_CELLS = 16_000_000
"""Voxels that the network sees of a volume, at most; larger volumes are resampled to larger voxels."""
EQUAL_SPACING = 1.01
"""Ratio up to which spacings are one: such volumes are not resampled."""
SHUFFLED_THOROUGH = 3
"""Networks that are trained on shuffled sites where `--effort thorough` or more is asked for."""


class FoldSettings(RunSettings):
    """Settings of the evaluation, for volumes and slides."""

    cv: Annotated[int, Option(TRY, ("train",), "5; a column `split` takes precedence")] = Field(
        5, ge=2, le=20, description="Folds by subject; every image is judged by a network that did not see its subject."
    )
    shuffled: Annotated[int | None, Option(TRY, ("train",), "0; 3 from --effort thorough on")] = Field(
        None,
        ge=0,
        le=100,
        description="Networks that are trained on shuffled sites, beside the shuffled logistic regressions of every run.",
    )
    gradcam: Annotated[bool, Option(TRY, ("apply",))] = Field(
        True, description="Map where the network finds the site, as layers/gradcam."
    )

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "shuffled_networks": self.shuffled_networks}

    @property
    def shuffled_networks(self) -> int:
        """Number of networks that are trained on shuffled sites."""
        if self.shuffled is not None:
            return self.shuffled
        return SHUFFLED_THOROUGH if self.effort >= EFFORT_FACTORS["thorough"] else 0

    @model_validator(mode="after")
    def _alone(self) -> FoldSettings:
        if self.gang > 1:
            raise ValueError(
                f"gang: the networks of this run have batch statistics, which {self.gang} ranks would compute apart; leave it "
                "out: workers train the folds in parallel"
            )
        return self


class SitesSettings(FoldSettings, PreparedSettings):
    """Every setting of `run sites --volumes`, with its default. Lengths are voxels of the prepared volumes."""

    shape: Annotated[
        tuple[int, int, int] | None,
        Option(READ, ("sample",), "that of the largest volume", "Z,Y,X", str),
    ] = Field(None, description="Voxels along z,y,x that the network sees, such as 96,112,96.")
    voxel: Annotated[
        float | None, Option(READ, ("sample",), "the volumes' own, where all have one; else their median")
    ] = Field(None, gt=0, le=100, description="Millimetres a voxel that volumes are resampled to.")

    @field_validator("shape")
    @classmethod
    def _not_too_small(cls, value: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if value and min(value) < LEAST_SIDE:
            raise ValueError(f"the network halves volumes, so sides must be {LEAST_SIDE} voxels or more; got {value}")
        return value

    def grid(self, records: Sequence[ImageRecord]) -> Grid:
        """Grid of the network's input. Volumes of one spacing keep it: resampling would take away what tells sites apart."""
        from ...steps.volumes.grid import Grid

        spacings = [record.spacing for record in records]
        middle = tuple(sorted(axis)[len(records) // 2] for axis in zip(*spacings, strict=True))
        one = all(max(a / b, b / a) < EQUAL_SPACING for s in spacings for a, b in zip(s, middle, strict=True))
        spacing = middle if one else (math.prod(middle) ** (1 / 3),) * 3
        if self.voxel:
            spacing = (self.voxel * 1000,) * 3
        shape = self.shape or _largest(records, spacing)
        if math.prod(shape) > MAX_GRID_CELLS and not self.shape and not self.voxel:
            coarser = (math.prod(shape) / MAX_GRID_CELLS) ** (1 / 3)
            spacing = tuple(s * coarser for s in spacing)
            shape = _largest(records, spacing)
        return Grid(shape, spacing, whole=self.shape is None, exact=one)


def _largest(records: Sequence[ImageRecord], spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Sides that hold each of the volumes at this spacing."""
    sides = [[round(n * s / to) for n, s, to in zip(r.shape, r.spacing, spacing, strict=True)] for r in records]
    return tuple(max(LEAST_SIDE, *axis) for axis in zip(*sides, [LEAST_SIDE] * 3, strict=True))


class SlideSitesSettings(FoldSettings, SampledSettings, SlideSettings):
    """Every setting of `run sites --slides`, with its default."""

    patch: PatchSide = LARGE_PATCH

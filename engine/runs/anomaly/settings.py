"""Settings of the run that scores films, slides or volumes by how unlike the normal ones they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ...pipeline.option import FIND, READ, TRY, Option
from ...pipeline.settings import RunSettings
from ...steps.films.settings import FilmSettings
from ...steps.settings import SMALL_PATCH, PatchSide, SampledSettings, SlideSettings
from ...steps.volumes.settings import PreparedSettings
from .score_names import NAMES, OF_SPOTTERS, QUICK_NAMES

if TYPE_CHECKING:
    from ...pipeline.record import ImageRecord
    from ...steps.volumes.grid import Grid

SOURCE = "kurotaki2017"
"""The network and training of the source, beside our own."""
SOURCE_SIDE, SOURCE_LATENT = 100, 256
LEAST_SIDE, MOST_SIDE = 16, 128
"""Voxels a side of a slice; larger slices are resampled to larger voxels, unless a shape or a voxel is given."""
ROUNDING = 0.01
"""Share of a voxel by which volumes may exceed a grid."""
Likelihood = Literal["bernoulli", "continuous_bernoulli", "gaussian", "gaussian_fixed", "logistic"]


class ScoreSettings(RunSettings):
    """Settings of the autoencoder and its scores, for every kind of images."""

    normal: Annotated[str, Option(READ, ("sample",), metavar="LABEL")] = Field(
        "normal",
        description="Label of the images to train on, whatever its case; 'any' trains on all of them.",
    )
    latent: Annotated[int | None, Option(FIND, ("train",), "16; of kurotaki2017 256")] = Field(
        None, ge=1, le=1024, description="Latent variables of the autoencoder."
    )
    likelihood: Annotated[Likelihood | None, Option(FIND, ("train",), "gaussian; of kurotaki2017 bernoulli")] = Field(
        None, description="Likelihood of a pixel given the latent variables."
    )
    draws: Annotated[int, Option(TRY, ("apply",))] = Field(
        16, ge=1, le=1000, description="Draws from the posterior of each image, of which a bound is the mean."
    )
    holdout: Annotated[float, Option(TRY, ("sample",), "0.3; a column `split` takes precedence")] = Field(
        0.3, gt=0, lt=1, description="Share of the subjects of normal images that are scored and not trained on."
    )

    spotters: Annotated[int, Option(TRY, ("train",))] = Field(
        2, ge=1, le=20, description="Networks that are trained to see pasted anomalies; a score is their mean."
    )

    @property
    def trains_as_source(self) -> bool:
        """Whether the autoencoder is trained as that of the source."""
        return False

    @property
    def vae(self) -> dict[str, Any]:
        """Arguments of the autoencoder, but its side and channels."""
        return {"latent": self.latent or 16, "likelihood": self.likelihood or "gaussian"}

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "vae": self.vae}


class AnomalySettings(ScoreSettings, FilmSettings):
    """Every setting of `run anomaly --films`, with its default."""

    network: Annotated[Literal["convolutional", "kurotaki2017"], Option(FIND, ("train",))] = Field(
        "convolutional",
        description="Variational autoencoder: convolutional, or the dense one of Kurotaki et al. 2017 with its training "
        "(100 pixels, 256 latent variables, Bernoulli, RMSProp, 50 epochs).",
    )

    @property
    def trains_as_source(self) -> bool:
        return self.network == SOURCE

    @property
    def vae(self) -> dict[str, Any]:
        """Arguments of the autoencoder, but its side and channels."""
        if self.network != SOURCE:
            return {"latent": self.latent or 16, "likelihood": self.likelihood or "gaussian"}
        return {"latent": self.latent or SOURCE_LATENT, "likelihood": self.likelihood or "bernoulli", "hidden": 256}

    scores: Annotated[Literal["all", "quick", "pasted"], Option(FIND, ("apply",))] = Field(
        "all",
        description="Scores to compute: all; quick, without the two that take longest (regret, complexity); or pasted, those "
        "of the networks that saw pasted anomalies alone.",
    )

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "score_names": self.score_names}

    @property
    def map_bytes(self) -> int:
        return 2 if self.scores == "pasted" else 4  # one or two maps of two bytes

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the scores that are computed."""
        return {"all": NAMES, "quick": QUICK_NAMES, "pasted": OF_SPOTTERS}[self.scores]

    @model_validator(mode="after")
    def _of_source(self) -> AnomalySettings:
        if self.network == SOURCE and self.side != SOURCE_SIDE:
            raise ValueError(f"network: {SOURCE} sees films of {SOURCE_SIDE} pixels a side, and side is {self.side}")
        return self


class ImageScoreSettings(ScoreSettings):
    """Settings of runs on slides and volumes."""

    label: Annotated[str, Option(READ, ("sample",), metavar="COLUMN")] = Field(
        "label", description="Column of the list that names the class of an image."
    )

    @property
    def class_column(self) -> str:
        return self.label


class SlideAnomalySettings(ImageScoreSettings, SampledSettings, SlideSettings):
    """Every setting of `run anomaly --slides`, with its default."""

    patch: PatchSide = SMALL_PATCH
    draws: Annotated[int, Option(TRY, ("apply",))] = Field(
        4, ge=1, le=1000, description="Draws from the posterior of each image, of which a bound is the mean."
    )


class VolumeAnomalySettings(ImageScoreSettings, PreparedSettings):
    """Every setting of `run anomaly --volumes`, with its default. Lengths are voxels of the prepared volumes."""

    shape: Annotated[
        tuple[int, int, int] | None,
        Option(READ, ("sample",), "that of the largest volume, slices as squares", "Z,Y,X", str),
    ] = Field(None, description="Voxels along z,y,x of prepared volumes, such as 80,96,96; slices are squares.")
    voxel: Annotated[
        float | None, Option(READ, ("sample",), "the volumes' median, or such that slices have 128 voxels a side")
    ] = Field(None, gt=0, le=100, description="Millimetres a voxel that volumes are resampled to.")

    @field_validator("shape")
    @classmethod
    def _square(cls, value: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if value and (value[1] != value[2] or value[1] < LEAST_SIDE):
            raise ValueError(f"slices are squares of {LEAST_SIDE} voxels or more along y and x; got {value}")
        return value

    def grid(self, records: Sequence[ImageRecord]) -> Grid:
        """Grid whose axial slices are squares that hold each of the volumes."""
        from ...steps.volumes.grid import Grid

        extents = [max(r.shape[axis] * r.spacing[axis] for r in records) for axis in range(3)]
        middle = [median(r.spacing[axis] for r in records) for axis in range(3)]
        across = max(extents[1:])
        most = self.shape[1] if self.shape else MOST_SIDE
        in_plane = self.voxel * 1000 if self.voxel else max(*middle[1:], across / most)
        along = self.voxel * 1000 if self.voxel else max(middle[0], in_plane)
        side = max(LEAST_SIDE, math.ceil(across / in_plane - ROUNDING))
        shape = self.shape or (max(1, math.ceil(extents[0] / along - ROUNDING)), side, side)
        return Grid(shape, (along, in_plane, in_plane), whole=self.shape is None)

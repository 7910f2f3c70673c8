"""AnomalySettings: the settings of a run that scores films by how unlike the normal ones they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...pipeline.option import FIND, READ, TRY, Option
from ...pipeline.settings import RunSettings
from ...steps.films.settings import FilmSettings

SOURCE = "kurotaki2017"
"""The network and training of the source, beside our own."""
SOURCE_SIDE, SOURCE_LATENT = 100, 256
Likelihood = Literal["bernoulli", "continuous_bernoulli", "gaussian", "gaussian_fixed", "logistic"]


class ScoreSettings(RunSettings):
    """Settings of the autoencoder and its scores, for every kind of images."""

    normal: Annotated[str, Option(READ, ("train",), metavar="LABEL")] = Field(
        "normal",
        description="Label of the images to train on, whatever its case; 'any' trains on all of them.",
    )
    network: Annotated[Literal["convolutional", "kurotaki2017"], Option(FIND, ("train",))] = Field(
        "convolutional",
        description="Variational autoencoder: convolutional, or the dense one of Kurotaki et al. 2017 with its training "
        "(100 pixels, 256 latent variables, Bernoulli, RMSProp, 50 epochs).",
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
    holdout: Annotated[float, Option(TRY, ("train",), "0.3; a column `split` takes precedence")] = Field(
        0.3, gt=0, lt=1, description="Share of the subjects of normal images that are scored and not trained on."
    )

    @property
    def vae(self) -> dict[str, Any]:
        """Arguments of the autoencoder, but its side and channels."""
        of_source = self.network == SOURCE
        latent = self.latent or (SOURCE_LATENT if of_source else 16)
        likelihood = self.likelihood or ("bernoulli" if of_source else "gaussian")
        return {"latent": latent, "likelihood": likelihood, **({"hidden": 256} if of_source else {})}

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "vae": self.vae}


class AnomalySettings(ScoreSettings, FilmSettings):
    """Every setting of `run anomaly --films`, with its default."""

    spotters: Annotated[int, Option(TRY, ("train",))] = Field(
        2, ge=1, le=20, description="Networks that are trained to see pasted anomalies; a score is their mean."
    )

    @model_validator(mode="after")
    def _of_source(self) -> AnomalySettings:
        if self.network == SOURCE and self.side != SOURCE_SIDE:
            raise ValueError(f"network: {SOURCE} sees films of {SOURCE_SIDE} pixels a side, and side is {self.side}")
        return self

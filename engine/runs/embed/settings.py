"""EmbedSettings: the settings of a run that embeds whole volumes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...pipeline.option import FIND, READ, TRY, Option
from ...steps.volumes.settings import PreparedVolumeSettings


class EmbedSettings(PreparedVolumeSettings):
    """Every setting of `run embed --volumes`, with its default."""

    label: Annotated[str, Option(READ, ("train",), metavar="COLUMN")] = Field(
        "label", description="Column of the classes; volumes without a class take part unlabelled."
    )
    objective: Annotated[
        Literal["auto", "reconstruction", "prototypes", "triplet", "contrastive", "proxy"],
        Option(FIND, ("train",), "auto: prototypes where two classes are known, else reconstruction", "NAME"),
    ] = Field(
        "auto",
        description="What embeddings are trained for: reconstruction, prototypes, triplet, contrastive or proxy.",
    )
    alpha: Annotated[float | None, Option(FIND, ("train",), "0.1")] = Field(
        None, ge=0, le=1000, description="Weight of the metric loss beside the squared error; 1 as published."
    )
    temperature: Annotated[float | None, Option(FIND, ("train",), "10; of contrastive 0.1")] = Field(
        None, gt=0, description="Divisor of the distances in the metric loss."
    )
    distance: Annotated[Literal["sq", "l2"] | None, Option(FIND, ("train",), "sq")] = Field(
        None, description="Distance to prototypes: sq (squared, as published) or l2."
    )
    prototypes: Annotated[int | None, Option(FIND, ("train",), "8")] = Field(
        None, ge=1, le=64, description="Samples of which a prototype is the mean; 1 as published."
    )
    entropy: Annotated[float | None, Option(FIND, ("train",), "0")] = Field(
        None, ge=0, description="Weight of the entropy of unlabelled volumes."
    )
    adversary: Annotated[float | None, Option(FIND, ("train",), "0")] = Field(
        None, ge=0, description="Weight of the adversary that predicts the site from the embedding."
    )
    class_features: Annotated[bool, Option(FIND, ("train",))] = Field(
        False,
        description="Make the last numbers of an embedding class probabilities, so that clusters separate where classes do.",
    )
    cv: Annotated[int, Option(TRY, ("train",), "5; a column `split` takes precedence")] = Field(
        5, ge=0, le=20, description="Folds of the evaluation, by subject; 0 for no evaluation."
    )

    @model_validator(mode="after")
    def _fitting(self) -> EmbedSettings:
        if self.class_features and self.network.startswith("yamaguchi"):
            raise ValueError("class_features: an embedding of maps cannot hold class features; use onga or arai")
        if self.cv == 1:
            raise ValueError("cv: use at least 2 folds, or 0 for no evaluation")
        return self

    @property
    def class_column(self) -> str:
        return self.label

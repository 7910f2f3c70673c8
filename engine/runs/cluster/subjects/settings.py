"""SubjectSettings: the settings of a run that groups subjects by their whole volumes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ....pipeline.option import FIND, Option
from ....steps.volumes.settings import PreparedVolumeSettings
from ..settings import OBJECTIVE_TEXT, KSettings, LevelSettings

SubjectObjective = Literal["auto", "graph", "kmeans", "ward"]


class SubjectSettings(KSettings, LevelSettings, PreparedVolumeSettings):
    """Every setting of `run cluster --volumes --subjects`, with its default."""

    subjects: Annotated[bool, Option(FIND, (), "the tissue is clustered, tile by tile")] = Field(
        True, description="The mean of a subject's volumes is one case."
    )
    embedding: Annotated[Literal["network", "components"], Option(FIND, ("train",))] = Field(
        "network",
        description="What subjects are compared by: the embedding of a network that reconstructs the volumes and sees no "
        "labels, or the principal components of the volumes, without training.",
    )
    objective: Annotated[SubjectObjective, Option(FIND, ("train",), metavar="NAME")] = Field(
        "auto", description=OBJECTIVE_TEXT
    )

    @field_validator("subjects")
    @classmethod
    def _chosen(cls, value: bool) -> bool:
        if not value:
            raise ValueError("subjects: leave the option out to cluster the tissue in volumes tile by tile")
        return value

    @model_validator(mode="after")
    def _one_network(self) -> SubjectSettings:
        if len(self.networks) > 1:
            raise ValueError(
                f"network: {self.network} stands for {len(self.networks)} networks, and subjects are grouped by the embeddings "
                "of one; use onga, arai, or one such as yamaguchi-3x16"
            )
        return self

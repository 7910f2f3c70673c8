"""ClassifySettings, TrainedFilmSettings: settings of a run that trains classifiers of films, and of one that applies one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ....models.training.budget import EFFORT_FACTORS
from ...pipeline.option import FIND, READ, TRY, Option
from ...steps.films.settings import FilmSettings
from .trained import with_settings_of_run

SOURCE = "kurotaki2017"
"""The network and training of the source."""
SIDES: Mapping[str, int] = {"film_resnet": 96, SOURCE: 100, "vgg16": 224}
"""Network -> side of the films that it was chosen, published or pretrained with."""
LEAST_SIDE = 32
REPEATS_THOROUGH = 3
"""Repeats of the folds where `--effort thorough` or more is asked for."""


class JudgedFilmSettings(FilmSettings):
    """Settings of every run that classifies films: what is normal, and whether maps are made."""

    normal: Annotated[str, Option(READ, ("sample", "train"), metavar="LABEL")] = Field(
        "normal",
        description="Label of the films without what is looked for, whatever its case; where no film has it, the most frequent "
        "label is taken.",
    )
    gradcam: Annotated[bool, Option(TRY, ("apply",))] = Field(
        True, description="Map where the network finds what it names, as gradcam beside the films."
    )

    @property
    def map_bytes(self) -> int:
        return 2 if self.gradcam else 0


class ClassifySettings(JudgedFilmSettings):
    """Every setting of `run classify --films`, with its default. Lengths are pixels of the prepared films."""

    side: Annotated[int, Option(READ, ("convert",), "96; of kurotaki2017 100, of vgg16 224")] = Field(
        SIDES["film_resnet"],
        ge=LEAST_SIDE,
        le=1024,
        description="Pixels along the longer side that films are reduced to; the shorter side is padded with the film's "
        "minimum.",
    )
    network: Annotated[Literal["film_resnet", "kurotaki2017", "vgg16"], Option(FIND, ("train",))] = Field(
        "film_resnet",
        description="Classifier: a small residual network; the two convolutions of Kurotaki et al. 2017 with their training; "
        "or VGG16, for published weights.",
    )
    weights: Annotated[str, Option(FIND, ("train",), "none", "FILE")] = Field(
        "",
        description="Weights that the blocks start from: of torchvision's vgg16 (.safetensors, or .pth of tensors alone), or "
        "those of a network of another run.",
    )
    pretrain: Annotated[str, Option(FIND, ("train",), "none", "LIST")] = Field(
        "",
        description="List of films of another task, with its labels, that the network learns first; in the list of films, a "
        "column `task` with the value pretrain says the same.",
    )
    stages: Annotated[bool, Option(FIND, ("train",))] = Field(
        True,
        description="After --weights or --pretrain, train the head, then one more block in each stage, and judge every stage; "
        "without, the whole network at once.",
    )
    cv: Annotated[int, Option(TRY, ("sample",), "5; a column `split` takes precedence")] = Field(
        5, ge=2, le=20, description="Folds by subject; every film is judged by a network that did not see its subject."
    )
    repeats: Annotated[int | None, Option(TRY, ("sample",), "1; 3 from --effort thorough on")] = Field(
        None, ge=1, le=20, description="How often the films are divided into folds anew."
    )
    validation: Annotated[float, Option(TRY, ("sample", "train"))] = Field(
        0.2,
        gt=0,
        lt=0.9,
        description="Share of the training films, by subject, that decide when to stop, the calibration and the threshold.",
    )
    site_matrix: Annotated[bool, Option(TRY, ("sample",))] = Field(
        False, description="Train networks on each site alone as well, and judge them at every site."
    )

    @model_validator(mode="before")
    @classmethod
    def _side_of_network(cls, values: Any) -> Any:
        side = SIDES.get(str(values.get("network"))) if isinstance(values, dict) else None
        return {**values, "side": side} if side and values.get("side") is None else values

    @field_validator("weights", "pretrain")
    @classmethod
    def _absolute(cls, value: str) -> str:
        """The file as its absolute path, since workers may have other working folders."""
        from ....stores.remote import absolute

        return str(absolute(value)) if value else ""

    @model_validator(mode="after")
    def _possible(self) -> ClassifySettings:
        if self.network == SOURCE and self.side != SIDES[SOURCE]:
            raise ValueError(f"network: {SOURCE} sees films of {SIDES[SOURCE]} pixels a side, and side is {self.side}")
        if self.gang > 1:
            raise ValueError(
                f"gang: the networks of this run have batch statistics, which {self.gang} ranks would compute apart; leave it "
                "out: workers train the folds in parallel"
            )
        return self

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "division": self.division}

    @property
    def pretrain_list(self) -> str:
        return self.pretrain

    @property
    def division(self) -> dict[str, Any]:
        """How films are divided into folds: folds, repeats, share of the validation part."""
        thorough = self.effort >= EFFORT_FACTORS["thorough"]
        repeats = self.repeats or (REPEATS_THOROUGH if thorough else 1)
        return {"cv": self.cv, "repeats": repeats, "validation": self.validation}


class TrainedFilmSettings(JudgedFilmSettings):
    """Every setting of `run classify --films --trained`, with its default."""

    trained: Annotated[str, Option(FIND, ("train",), "none", "OUT")] = Field(
        "", description="Judge by the final network of this finished run, without training."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_trained(cls, values: Any) -> Any:
        return with_settings_of_run(values) if isinstance(values, dict) else values

    @property
    def needs_labels(self) -> bool:
        return False

"""RunSettings: the settings that all pipelines share, validated before any work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...errors import SettingsError
from ...models.training.budget import effort_factor
from .option import TRY, WRITE, Option
from .validation import problems


class RunSettings(BaseModel):
    """Settings that all pipelines share."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # most models are only listed

    codec: Annotated[Literal["zstd", "lz4", "none"], Option(WRITE, stages=("convert",))] = Field(
        "zstd", description="Lossless compression of the stores; lz4 is faster and larger."
    )
    umap: Annotated[bool, Option(WRITE, stages=("map",))] = Field(
        True, description="Compute the UMAP of the table's rows."
    )
    effort: Annotated[float, Option(TRY, ("sample", "train"), "normal", "EFFORT", str)] = Field(
        1.0, gt=0, le=100, description="Factor on all training steps: quick, normal, thorough, or a number."
    )
    seed: Annotated[int, Option(TRY, ("sample", "train"))] = Field(
        0, ge=0, lt=2**31, description="Seed of every random choice."
    )
    threads: Annotated[int, Option(TRY, ("train",), "the cores, at most 8")] = Field(
        0, ge=0, le=64, description="Threads of one training step; the last digits of results depend on their number."
    )
    gang: Annotated[int, Option(TRY, ("train",))] = Field(
        1,
        ge=1,
        le=64,
        description="Workers that train one network together, one rank each; the last digits of results depend on it.",
    )
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Option(
            TRY,
            ("train", "apply"),
            "auto: what the run began with, else cuda where every worker has a GPU of its own",
        ),
    ] = Field(
        "auto", description="Device that trains and applies the network; the last digits of results depend on it."
    )
    dtype: Annotated[
        Literal["auto", "float32", "bf16"],
        Option(TRY, ("train", "apply"), "auto: float32, or bf16 on GPUs that have it"),
    ] = Field("auto", description="Arithmetic of the network when it is applied.")

    @field_validator("effort", mode="before")
    @classmethod
    def _effort(cls, value: Any) -> Any:
        try:
            return effort_factor(value) if isinstance(value, str) else value
        except SettingsError as error:  # pydantic reports a ValueError together with the other problems
            raise ValueError(error.message) from error

    def as_begun(self, earlier: Mapping[str, Any] | None) -> Self:
        """The settings, where those of the run in OUT (`earlier`, None for a new run) tell what cannot be read any more, or
        what such a run keeps."""
        return self

    @property
    def labels_on_image(self) -> bool:
        """Whether labels have the grid of the image that they lie over, not the coarser one of their cells."""
        return False

    @property
    def stored_pixels(self) -> str:
        """Which pixels the stores keep: all, tissue or none."""
        return "all"

    @property
    def class_column(self) -> str:
        """Column of the user's list that names the classes of the images."""
        return "label"

    @property
    def unreadable_limit(self) -> float:
        """Share of an image's tissue that may be unreadable before the image is rejected."""
        return 0.01

    @property
    def encoder_file(self) -> str:
        """File of weights of a frozen encoder that takes the place of the autoencoder; empty where that is trained."""
        return ""

    @property
    def trains_in(self) -> str:
        """Arithmetic of the autoencoder's training: float32 or bf16."""
        return "float32"

    @property
    def pretrain_list(self) -> str:
        """List of films of another task, which the run reads beside its own; empty where there is none."""
        return ""

    @property
    def harmonized_run(self) -> str:
        """Folder of the run whose harmonized versions are read in place of the volumes; empty where these are read."""
        return ""

    @property
    def named(self) -> dict[str, Any]:
        """The settings by name, and values derived from several settings that determine a step's results."""
        return dict(self)

    def deciding(self, fields: Iterable[str]) -> dict[str, Any]:
        """The named settings' values for a fingerprint: dtype "auto" counts as float32; a device other than cuda is omitted, as
        are labels on their cells, and a training of all steps in float32, of which earlier versions knew nothing else, and
        that one view of a patch is enough, of which they had four."""
        named = self.named
        values = {field: named[field] for field in fields}
        if values.get("dtype") == "auto":
            values["dtype"] = "float32"
        if values.get("device") != "cuda":
            values.pop("device", None)
        if values.get("label_grid") in (None, "cells"):
            values.pop("label_grid", None)
        if not values.get("early_stop"):
            values.pop("early_stop", None)
        if values.get("trains_in") == "float32":
            values.pop("trains_in")
        if not values.get("several_views"):
            values.pop("several_views", None)
        return values


C = TypeVar("C", bound=RunSettings)


def settings_of(values: Mapping[str, Any], model: type[C]) -> C:
    """Validated settings; raises SettingsError that lists every problem, with a did-you-mean for unknown names."""
    try:
        return model.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        raise SettingsError(f"{problems(error, model)}.") from error

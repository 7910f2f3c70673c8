"""RunSettings: what may be set of a run of any kind, validated before anything else happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...errors import SettingsError
from ...models.training.budget import effort_factor
from .validation import problems


class RunSettings(BaseModel):
    """Settings of runs of every kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    codec: Literal["zstd", "lz4", "none"] = Field("zstd", description="lossless compression of the store")
    effort: float = Field(
        1.0, gt=0, le=100, description="factor on all training steps: quick, normal, thorough, or a number"
    )
    umap: bool = Field(True, description="whether to compute the UMAP of the table's rows")
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    threads: int = Field(
        0, ge=0, le=64, description="threads of one training step; part of the numerics (default: the cores, at most 8)"
    )
    gang: int = Field(1, ge=1, le=64, description="workers that train together, one rank each; part of the numerics")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="what trains and applies the network; part of the numerics"
    )
    dtype: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="arithmetic of the network when it is applied (default: float32, bf16 on GPUs that have it)"
    )

    @field_validator("effort", mode="before")
    @classmethod
    def _effort(cls, value: Any) -> Any:
        try:
            return effort_factor(value) if isinstance(value, str) else value
        except SettingsError as error:  # pydantic lists it with the others
            raise ValueError(error.message) from error

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
        """Share of an image's tissue that may be unreadable before it is rejected."""
        return 0.01

    @property
    def named(self) -> dict[str, Any]:
        """The settings by name, and what follows from several of them and decides a step's results."""
        return dict(self)

    def deciding(self, fields: Iterable[str]) -> dict[str, Any]:
        """Values of the settings that decide a step's results; what goes without saying (a CPU, float32) is left unsaid."""
        named = self.named
        values = {field: named[field] for field in fields}
        if values.get("dtype") == "auto":
            values["dtype"] = "float32"
        if values.get("device") != "cuda":
            values.pop("device", None)
        return values


C = TypeVar("C", bound=RunSettings)


def settings_of(values: Mapping[str, Any], model: type[C]) -> C:
    """Validated settings; raises SettingsError that lists every problem, with a did-you-mean for unknown names."""
    try:
        return model.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        raise SettingsError(f"{problems(error, model)}.") from error

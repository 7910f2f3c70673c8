"""Settings: what a user may ask of a clustering run, validated before anything else happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import SettingsError
from ..models.budget import effort_factor
from .complaints import complaints


class Settings(BaseModel):
    """Every setting of `run cluster` and its stages, with its default. Lengths are pixels at the run's spacing unless said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mpp: float | None = Field(None, gt=0, description="micrometres a pixel of slides that do not say it themselves")
    spacing: float | None = Field(
        None, gt=0, le=20, description="micrometres a pixel to work at (default: 0.5 if half the slides reach it)"
    )
    pixels: Literal["all", "tissue", "none"] = Field("all", description="which pixels the store keeps")
    codec: Literal["zstd", "lz4", "none"] = Field("zstd", description="lossless compression of the store")
    max_bad_tiles: float = Field(
        0.01, ge=0, le=1, description="share of tissue that may be unreadable before a slide is rejected"
    )
    patch: int = Field(128, ge=32, le=1024, multiple_of=16, description="side of a patch")
    stride: int = Field(0, ge=0, le=1024, description="step between patches when maps are made (default: half a patch)")
    samples: int = Field(
        50_000, ge=64, le=2_000_000, description="patches to train on, at most; fewer on small cohorts"
    )
    objective: Literal["iic", "imsat"] = Field("imsat", description="what the clustering head maximises")
    k: tuple[int, int] = Field((2, 20), description="number of clusters: '14', '2-20', or 'auto' for 2-20")
    seeds: int = Field(5, ge=1, le=20, description="initialisations of every head")
    effort: float = Field(
        1.0, gt=0, le=100, description="factor on all training steps: quick, normal, thorough, or a number"
    )
    jitter: float = Field(1.0, ge=0, le=3, description="strength of colour and stain jitter in training")
    umap: bool = Field(True, description="whether to compute the UMAP of the tiles")
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    threads: int = Field(
        0, ge=0, le=64, description="threads of one training step; part of the numerics (default: the cores, at most 8)"
    )
    gang: int = Field(1, ge=1, le=64, description="workers that train together, one rank each; part of the numerics")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="what trains and applies the network; part of the numerics"
    )
    dtype: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="arithmetic of the network when maps are made (default: float32, bf16 on GPUs that have it)"
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

    @field_validator("effort", mode="before")
    @classmethod
    def _effort(cls, value: Any) -> Any:
        try:
            return effort_factor(value) if isinstance(value, str) else value
        except SettingsError as error:  # pydantic lists it with the others
            raise ValueError(error.message) from error

    @model_validator(mode="after")
    def _together(self) -> Settings:
        low, high = self.k
        if not 2 <= low <= high <= 100:
            raise ValueError(f"k: clusters run from 2 to 100, lower end first; got {low} to {high}")
        step = self.step
        if step > self.patch or (self.patch - step) % 2:
            raise ValueError(
                f"stride: patch {self.patch} minus stride {step} must be even and not negative, so that patches lie "
                "centred on the cells that they stand for"
            )
        return self

    @property
    def step(self) -> int:
        """The stride in force."""
        return self.stride or self.patch // 2

    def deciding(self, fields: Iterable[str]) -> dict[str, Any]:
        """Values of the settings that decide a step's results; what goes without saying (a CPU, float32) is left unsaid."""
        values = {field: getattr(self, field) for field in fields}
        if values.get("dtype") == "auto":
            values["dtype"] = "float32"
        if values.get("device") != "cuda":
            values.pop("device", None)
        return values


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Validated settings; raises SettingsError that lists every problem, with a did-you-mean for unknown names."""
    try:
        return Settings.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        raise SettingsError(f"{complaints(error, Settings)}.") from error

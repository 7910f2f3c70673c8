"""Settings that several runs share: of slides, and of runs that look at images tile by tile."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ..pipeline.settings import RunSettings


class SlideSettings(RunSettings):
    """Settings of every run on slides."""

    mpp: float | None = Field(None, gt=0, description="micrometres a pixel of slides that do not say it themselves")
    spacing: float | None = Field(
        None, gt=0, le=20, description="micrometres a pixel to work at (default: 0.5 if half the slides reach it)"
    )
    pixels: Literal["all", "tissue", "none"] = Field("all", description="which pixels the store keeps")
    max_bad_tiles: float = Field(
        0.01, ge=0, le=1, description="share of tissue that may be unreadable before a slide is rejected"
    )

    @property
    def stored_pixels(self) -> str:
        return self.pixels

    @property
    def unreadable_limit(self) -> float:
        return self.max_bad_tiles


class TileSettings(RunSettings):
    """Settings of every run that looks at images tile by tile."""

    patch: int = Field(128, ge=32, le=1024, multiple_of=16, description="side of a patch")
    stride: int = Field(0, ge=0, le=1024, description="step between patches when maps are made (default: half a patch)")
    samples: int = Field(
        50_000, ge=64, le=2_000_000, description="patches to train on, at most; fewer on small cohorts"
    )
    jitter: float = Field(1.0, ge=0, le=3, description="strength of colour and stain jitter in training")

    @field_validator("patch", "stride", mode="before")
    @classmethod
    def _side(cls, value: Any) -> Any:
        """One number, or the same along every axis: 64,64,64."""
        if not isinstance(value, str):
            return value
        sides = {side.strip() for side in value.lower().replace("x", ",").split(",")}
        if len(sides) != 1:
            raise ValueError(f"{value!r} has unequal sides; patches are squares or cubes, such as 64 or 64,64,64")
        return sides.pop()

    @model_validator(mode="after")
    def _fitting(self) -> TileSettings:
        step = self.step
        if step > self.patch or (self.patch - step) % 2:
            raise ValueError(
                f"stride: patch {self.patch} minus stride {step} must be even and not negative, so that patches lie "
                "centred on the cells that they stand for"
            )
        return self

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "step": self.step}

    @property
    def step(self) -> int:
        """The stride in force."""
        return self.stride or self.patch // 2


class VolumeTileSettings(TileSettings):
    """Every setting of `run embed --volumes --tile`, with its default. Lengths are voxels of each volume."""

    t: int | None = Field(None, ge=0, description="which volume of 4-D files")
    patch: int = Field(16, ge=16, le=128, multiple_of=8, description="side of a patch")

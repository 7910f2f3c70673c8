"""EmbedSettings: what a user may ask of a run that embeds whole volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from ....stores.remote import absolute
from ...pipeline.settings import RunSettings

if TYPE_CHECKING:
    from ...pipeline.record import ImageRecord
    from ...steps.volumes.grid import Grid

PRESETS = ("onga", "arai", *(f"yamaguchi-{blocks}x{maps}" for blocks in (1, 2, 3, 4) for maps in (1, 4, 16, 32)))
SHAPES = {"onga": (80, 96, 80), "arai": (160, 192, 160)}
VOXELS = {"onga": 2.0, "arai": 1.0}
"""Millimetres: so that a head fits into the shape."""
SMALL = 96
"""Volumes of one shape with no longer side are taken as they are, padded."""


class EmbedSettings(RunSettings):
    """Every setting of `run embed --volumes`, with its default. Lengths are voxels of the prepared volumes unless said."""

    t: int | None = Field(None, ge=0, description="which volume of 4-D files")
    network: str = Field("onga", description="onga, arai, yamaguchi-BxC, or yamaguchi for all sixteen of these")
    code: int = Field(150, ge=2, le=4096, description="numbers of a code (onga and arai)")
    shape: tuple[int, int, int] | None = Field(
        None, description="z, y, x that the network sees (default: the network's; small volumes of one shape: theirs)"
    )
    voxel: float | None = Field(
        None,
        gt=0,
        le=100,
        description="millimetres a voxel that volumes are resampled to (default: so that a head fits the shape)",
    )
    mask: str = Field(
        "head", description="what stays: head, given (a column `mask`, or the BIDS brain mask), none, or a mask file"
    )
    align: Literal["none", "rigid", "affine"] = Field(
        "none", description="registration to the template before the network"
    )
    template: str = Field("", description="volume that others are aligned to")
    label: str = Field("label", description="column of the classes; volumes without one take part unlabelled")
    objective: Literal["auto", "reconstruction", "prototypes", "triplet", "contrastive", "proxy"] = Field(
        "auto", description="what codes are trained for (default: prototypes where there are classes)"
    )
    alpha: float | None = Field(None, ge=0, le=1000, description="weight of the metric loss")
    temperature: float | None = Field(None, gt=0, description="distances are divided by it")
    distance: Literal["sq", "l2"] | None = Field(None, description="of prototypes: squared or plain")
    prototypes: int | None = Field(None, ge=1, le=64, description="samples of which a prototype is the mean")
    entropy: float | None = Field(None, ge=0, description="weight of the unlabelled volumes' entropy")
    adversary: float | None = Field(None, ge=0, description="weight of the adversary that guesses the site")
    marks: bool = Field(False, description="the code's last numbers say how likely each class is")
    cv: int = Field(5, ge=0, le=20, description="folds of the evaluation, by subject; 0: none")

    @field_validator("shape", mode="before")
    @classmethod
    def _sides(cls, value: Any) -> Any:
        if isinstance(value, str):
            parts = value.lower().replace("x", ",").split(",")
            if len(parts) != 3 or not all(p.strip().isdecimal() for p in parts):
                raise ValueError(f"{value!r} is not three sides, such as 80,96,80")
            return tuple(int(p) for p in parts)
        return value

    @field_validator("mask", "template")
    @classmethod
    def _found(cls, value: str) -> str:
        """A file is known by its whole path, wherever a worker stands."""
        if value in ("", "head", "given", "none"):
            return value
        path = absolute(value)
        if not path.exists():
            raise ValueError(f"there is no file {value!r}; a mask is head, given, none, or a file")
        return str(path)

    @model_validator(mode="after")
    def _together(self) -> EmbedSettings:
        if self.network not in (*PRESETS, "yamaguchi"):
            raise ValueError(
                f"network: there is no {self.network!r}; use {PRESETS[0]}, {PRESETS[1]}, yamaguchi-3x16 ..."
            )
        if (self.align != "none") != bool(self.template):
            raise ValueError("align and template go together: what volumes are aligned to, and by which transform")
        if self.align != "none" and self.mask not in ("head", "given", "none"):
            raise ValueError(
                "a mask file lies where the volumes lie, not where align puts them; use mask head or given"
            )
        multiple = 1 << self.steps_down
        if self.shape and any(n % multiple or n < 2 * multiple for n in self.shape):
            raise ValueError(
                f"shape: {self.network} halves volumes {self.steps_down} times, so sides are multiples of {multiple}, "
                f"{2 * multiple} at least; got {','.join(map(str, self.shape))}"
            )
        if self.marks and self.network.startswith("yamaguchi"):
            raise ValueError("marks: a code of maps has no place for them; use onga or arai")
        if self.cv == 1:
            raise ValueError("cv: folds are 2 at least, or 0 for no evaluation")
        return self

    @property
    def class_column(self) -> str:
        return self.label

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks to train."""
        return PRESETS[2:] if self.network == "yamaguchi" else (self.network,)

    @property
    def steps_down(self) -> int:
        """Halvings of the deepest network: sides are multiples of 2 to this power, two of them at least."""
        blocks = {"onga": 4, "arai": 5}
        return max(blocks.get(name) or int(name.removeprefix("yamaguchi-")[0]) for name in self.networks)

    def grid(self, records: Sequence[ImageRecord]) -> Grid:
        """What the network sees: small volumes of one shape and spacing whole, all others resampled to its own shape."""
        from ...steps.volumes.grid import Grid

        shapes = {record.native_shape for record in records}
        first = records[0]
        alike = len(shapes) == 1 and all(
            max(a / b, b / a) < 1.01 for r in records for a, b in zip(r.spacing, first.spacing, strict=True)
        )
        if alike and max(first.native_shape) <= SMALL and self.voxel is None:
            multiple = 1 << self.steps_down
            shape = self.shape or tuple(max(2 * multiple, -(-n // multiple) * multiple) for n in first.native_shape)
            coarser = max(1.0, *(a / b for a, b in zip(first.native_shape, shape, strict=True)))
            return Grid(shape, tuple(s * coarser for s in first.spacing), whole=True)
        shape = self.shape or SHAPES.get(self.network, SHAPES["onga"])
        voxel = self.voxel or VOXELS.get(self.network, VOXELS["onga"]) * max(
            a / b for a, b in zip(SHAPES.get(self.network, SHAPES["onga"]), shape, strict=True)
        )
        return Grid(shape, (voxel * 1000,) * 3)

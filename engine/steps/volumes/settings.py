"""Settings of every run on whole volumes: how volumes are prepared, and the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ...pipeline.option import FIND, READ, Option
from ..settings import VolumeSettings
from .harmonized_run import HarmonizedRun, harmonized_as_begun, read_harmonized

if TYPE_CHECKING:
    from ...pipeline.record import ImageRecord
    from .grid import Grid

PRESETS = ("onga", "arai", *(f"yamaguchi-{blocks}x{maps}" for blocks in (1, 2, 3, 4) for maps in (1, 4, 16, 32)))
SHAPES = {"onga": (80, 96, 80), "arai": (160, 192, 160)}
VOXELS = {"onga": 2.0, "arai": 1.0}
"""Network -> voxel size in millimetres, such that a head fits into the shape."""
MAX_WHOLE_SIDE = 96
"""Longest side, in voxels, of volumes of equal shape that are padded rather than resampled."""


class PreparedSettings(VolumeSettings):
    """Settings of every run whose network sees whole volumes: how they are prepared."""

    shape: Annotated[tuple[int, int, int] | None, Option(READ, ("sample",), metavar="Z,Y,X", accepts=str)] = Field(
        None, description="Voxels along z,y,x that the network sees, such as 80,96,80."
    )
    voxel: Annotated[float | None, Option(READ, ("sample",))] = Field(
        None, gt=0, le=100, description="Millimetres a voxel that volumes are resampled to."
    )
    mask: Annotated[str, Option(READ, ("sample",))] = Field(
        "head",
        description="Part of a volume that is kept: head, given (a column `mask`, or the BIDS brain mask beside it), none, or "
        "a mask file in the same space.",
    )
    align: Annotated[Literal["none", "rigid", "affine"], Option(READ, ("sample",))] = Field(
        "none", description="Registration of each volume to --template."
    )
    template: Annotated[str, Option(READ, ("sample",), metavar="FILE")] = Field(
        "", description="Volume that all others are aligned to; together with --align."
    )

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
        """The setting with a file as its absolute path, since workers may have other working folders."""
        if value in ("", "head", "given", "none"):
            return value
        from ....stores.remote import absolute

        path = absolute(value)
        if not path.exists():
            raise ValueError(f"there is no file {value!r}; give a path (a mask may also be head, given or none)")
        return str(path)

    @model_validator(mode="after")
    def _aligned(self) -> PreparedSettings:
        if (self.align != "none") != bool(self.template):
            raise ValueError(
                "align and template must be set together: the transform, and the volume that all others are aligned to"
            )
        if self.align != "none" and self.mask not in ("head", "given", "none"):
            raise ValueError(
                "mask: a mask file is for volumes that lie in one space already, so align cannot be used with it; "
                "use head or given"
            )
        return self


class PreparedVolumeSettings(PreparedSettings):
    """Settings of every run that trains networks on whole volumes.

    Lengths are voxels of the prepared volumes unless stated otherwise.
    """

    network: Annotated[str, Option(FIND, ("sample",), metavar="NAME")] = Field(
        "onga",
        description="Network: onga (80x96x80), arai (160x192x160), yamaguchi-BxC (blocks B 1-4, channels C 1, 4, 16, 32), "
        "or yamaguchi for all sixteen.",
    )
    embedding_size: Annotated[int, Option(FIND, ("train",))] = Field(
        150, ge=2, le=4096, description="Numbers of an embedding, of onga and arai."
    )
    shape: Annotated[
        tuple[int, int, int] | None,
        Option(READ, ("sample",), "the network's; of small volumes of one shape theirs", "Z,Y,X", str),
    ] = Field(None, description="Voxels along z,y,x that the network sees, such as 80,96,80.")
    voxel: Annotated[float | None, Option(READ, ("sample",), "so that a head fits the shape: 2 or 1")] = Field(
        None, gt=0, le=100, description="Millimetres a voxel that volumes are resampled to."
    )
    harmonized: Annotated[HarmonizedRun, Option(READ, ("sample",), "the volumes as they are", "OUT", str)] = Field(
        (),
        description="Read the harmonized version of each volume, from the folder of a finished run that harmonized them to one "
        "site; volumes of that site stay as they are.",
    )

    @field_validator("harmonized", mode="before")
    @classmethod
    def _harmonized(cls, value: Any) -> Any:
        return read_harmonized(value) if isinstance(value, (str, Path)) and value else value or ()

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.network not in (*PRESETS, "yamaguchi"):
            raise ValueError(
                f"network: there is no {self.network!r}; use {PRESETS[0]}, {PRESETS[1]}, yamaguchi-3x16 ..."
            )
        multiple = 1 << self.steps_down
        if self.shape and any(n % multiple or n < 2 * multiple for n in self.shape):
            raise ValueError(
                f"shape: {self.network} halves volumes {self.steps_down} times, so sides must be multiples of {multiple} and "
                f"at least {2 * multiple}; got {','.join(map(str, self.shape))}"
            )
        return self

    def as_begun(self, earlier: Mapping[str, Any] | None) -> Self:
        """A run of harmonized volumes that is gone by now is the one that was recorded."""
        recorded = harmonized_as_begun(self.harmonized, earlier or {})
        return super().as_begun(earlier).model_copy(update={"harmonized": recorded})

    @property
    def harmonized_run(self) -> str:
        return self.harmonized[0] if self.harmonized else ""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks to train."""
        return PRESETS[2:] if self.network == "yamaguchi" else (self.network,)

    @property
    def steps_down(self) -> int:
        """Number n of halvings in the deepest network; sides are multiples of 2**n, and at least 2 * 2**n."""
        blocks = {"onga": 4, "arai": 5}
        return max(blocks.get(name) or int(name.removeprefix("yamaguchi-")[0]) for name in self.networks)

    def grid(self, records: Sequence[ImageRecord]) -> Grid:
        """Grid of the network's input: small volumes of equal shape and spacing are padded, all others resampled."""
        from .grid import Grid

        shapes = {record.native_shape for record in records}
        first = records[0]
        alike = len(shapes) == 1 and all(
            max(a / b, b / a) < 1.01 for r in records for a, b in zip(r.spacing, first.spacing, strict=True)
        )
        if alike and max(first.native_shape) <= MAX_WHOLE_SIDE and self.voxel is None:
            multiple = 1 << self.steps_down
            shape = self.shape or tuple(max(2 * multiple, -(-n // multiple) * multiple) for n in first.native_shape)
            coarser = max(1.0, *(a / b for a, b in zip(first.native_shape, shape, strict=True)))
            return Grid(shape, tuple(s * coarser for s in first.spacing), whole=True)
        shape = self.shape or SHAPES.get(self.network, SHAPES["onga"])
        voxel = self.voxel or VOXELS.get(self.network, VOXELS["onga"]) * max(
            a / b for a, b in zip(SHAPES.get(self.network, SHAPES["onga"]), shape, strict=True)
        )
        return Grid(shape, (voxel * 1000,) * 3)

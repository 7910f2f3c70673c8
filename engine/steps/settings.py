"""Settings that several pipelines share: those of slides, and those of runs that process images tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..pipeline.expected import Form
from ..pipeline.option import FIND, READ, TRY, WRITE, Option
from ..pipeline.settings import RunSettings
from .patch_sides import Sizes, one_side

_SIDES = str | tuple[int, ...]
_PATCH = Option(FIND, ("sample",), metavar="SIDE", accepts=_SIDES)
_PATCH_TEXT = (
    "Side of a patch, the tile that a network sees, in pixels or voxels, such as 64 or 64,64,64. Where slides or sections are "
    "clustered or embedded, two sizes too, such as 64,128: a patch and the one in its middle, each with a network."
)
_SQUARES = Sizes(ge=32, le=1024, multiple_of=16)


class LabelSettings(RunSettings):
    """Settings of every run whose images have labels."""

    label_grid: Annotated[Literal["image", "cells"] | None, Option(WRITE, ("convert", "map"), "image")] = Field(
        None,
        description="Grid that labels are stored on: the image's own, so that every viewer shows them in register, or that of "
        "their cells, which is coarser. A run that has begun keeps its grid.",
    )

    def as_begun(self, earlier: Mapping[str, Any] | None) -> Self:
        """A run keeps the grid of its labels; runs from before there was this setting have them on their cells."""
        begun = "image" if earlier is None else earlier.get("label_grid") or "cells"
        settings = super().as_begun(earlier)
        return settings.model_copy(update={"label_grid": self.label_grid or begun})

    @property
    def labels_on_image(self) -> bool:
        return self.label_grid == "image"


class SlideSettings(LabelSettings):
    """Settings of every run on slides."""

    mpp: Annotated[float | None, Option(READ, ("convert",))] = Field(
        None,
        gt=0,
        description="Micrometres a pixel of all slides, whatever their files state; a list's column `mpp` takes precedence.",
    )
    spacing: Annotated[float | None, Option(READ, ("convert",), "0.5, if half the slides reach it")] = Field(
        None, gt=0, le=20, description="Micrometres a pixel to work at."
    )
    part: Annotated[str, Option(READ, ("convert",), "the largest image of each file")] = Field(
        "",
        description="Image to read of slide files that hold several, by its number in the file, counted from 0.",
    )
    tissue_mask: Annotated[str, Option(READ, ("convert",), "computed from the slide", "PATH")] = Field(
        "",
        description="Tissue masks from outside: a folder of masks with the slides' names, or one file; a list's column "
        "`tissue_mask` goes before. PNG or TIFF over the whole slide (not zero is tissue), or GeoJSON in pixels of level 0.",
    )
    max_bad_tiles: Annotated[float, Option(READ, ("convert",))] = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a slide, and of its tissue, that may be unreadable before it is rejected.",
    )
    pixels: Annotated[Literal["all", "tissue", "none"], Option(WRITE, ("convert",))] = Field(
        "all",
        description="Pixels that the stores keep: all, tissue (the rest reads as background), or none (the run reads the "
        "slides themselves).",
    )

    @field_validator("tissue_mask")
    @classmethod
    def _place_of_masks(cls, value: str) -> str:
        """The absolute path of the masks, since workers may have other working folders."""
        from ...stores.remote import absolute

        return str(absolute(value)) if value else ""

    @property
    def stored_pixels(self) -> str:
        return self.pixels

    @property
    def unreadable_limit(self) -> float:
        return self.max_bad_tiles


class EncoderSettings(RunSettings):
    """Settings of runs on slides that may take a frozen encoder."""

    encoder: Annotated[str, Option(FIND, ("train",), "the autoencoder, which the run trains", "FILE")] = Field(
        "",
        description="A frozen encoder that was trained elsewhere: a ViT or ResNet as safetensors, with its recipe inside or "
        "in a JSON beside it.",
    )

    @field_validator("encoder")
    @classmethod
    def _encoder(cls, value: str) -> str:
        """The file as its absolute path, since workers may have other working folders."""
        from ...stores.remote import absolute

        return str(absolute(value)) if value else ""

    @property
    def encoder_file(self) -> str:
        return self.encoder


class PatchSettings(RunSettings):
    """Settings of every run that processes images tile by tile."""

    patch: Annotated[int | tuple[int, ...], _PATCH, _SQUARES, BeforeValidator(_SQUARES.parsed)] = Field(
        128, description=_PATCH_TEXT
    )
    stride: Annotated[
        int,
        Option(FIND, ("apply",), "half a patch, of several the smallest", "SIDE", _SIDES),
        BeforeValidator(one_side),
    ] = Field(
        0, ge=0, le=1024, description="Step between patches on the maps, in pixels or voxels, such as 32 or 32,32,32."
    )

    tissue_share: Annotated[float, Option(FIND, ("apply",))] = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a patch that must be tissue (of volumes, foreground) for the maps to show it.",
    )

    @model_validator(mode="after")
    def _fitting(self) -> PatchSettings:
        step = self.step
        for side in self.sides:
            if step > side:
                raise ValueError(
                    f"stride: patch {side} minus stride {step} is negative, so that cells between patches would have none: a "
                    f"stride is at most the patch, here {side}"
                )
            if (side - step) % 2:
                raise ValueError(
                    f"stride: patch {side} minus stride {step} must be even, so that patches lie "
                    "centred on the cells that they stand for"
                )
        return self

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "step": self.step}

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides of all sizes of patch, the smallest first; a smaller patch is the middle of the larger one."""
        return self.patch if isinstance(self.patch, tuple) else (self.patch,)

    @property
    def side(self) -> int:
        """Side of the patch that is cut from images: of several sizes the largest."""
        return self.sides[-1]

    @property
    def step(self) -> int:
        """The stride in use: `stride`, or half a patch by default, of several the smallest."""
        smallest = self.patch[0] if isinstance(self.patch, tuple) else self.patch
        return self.stride or smallest // 2


class SampledSettings(PatchSettings):
    """Settings of every run that samples patches to train on."""

    samples: Annotated[int, Option(TRY, ("sample",))] = Field(
        50_000, ge=64, le=2_000_000, description="Patches to train on, at most; fewer on small cohorts."
    )


class TileSettings(SampledSettings):
    """Settings of every run that trains an encoder on tiles."""

    jitter: Annotated[float, Option(TRY, ("train",))] = Field(
        1.0, ge=0, le=3, description="Strength of colour and stain jitter in training."
    )
    early_stop: Annotated[bool, Option(TRY, ("train",))] = Field(
        False,
        description="End training on a plateau of the loss of held-out patches; the steps of --effort are the most.",
    )
    training_dtype: Annotated[Literal["float32", "bf16"], Option(TRY, ("train",))] = Field(
        "float32",
        description="Arithmetic of the autoencoder's training: bf16 is faster where `tile-engine doctor` measures a gain "
        "from it; weights, losses and normalisations stay in float32.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> TileSettings:
        if self.encoder_file and len(self.sides) > 1:
            raise ValueError(
                f"encoder: a frozen encoder embeds patches of one size, and patch names {len(self.sides)}; leave it out (the "
                "run then trains an autoencoder for each size), or give one size"
            )
        return self

    @property
    def named(self) -> dict[str, Any]:
        return {**super().named, "encoder_file": self.encoder_file, "trains_in": self.trains_in}

    @property
    def trains_in(self) -> str:
        return "float32" if self.encoder_file else self.training_dtype


class VolumeSettings(LabelSettings):
    """Settings of every run on volumes."""

    t: Annotated[int | None, Option(READ, ("convert",))] = Field(
        None, ge=0, description="Time point to read of 4-D files, counted from 0."
    )
    channels: Annotated[tuple[int, ...] | None, Option(READ, ("convert",), "all that there are", "N,N", str)] = Field(
        None, description="Channels to read of stores with several, counted from 0, such as 0 or 0,2."
    )
    suffix: Annotated[
        str, Option(READ, ("convert",), metavar="NAME"), Form("letters and digits alone, such as T1w")
    ] = Field(
        "T1w",
        pattern=r"^[A-Za-z0-9]+$",
        description="Suffix of the images to read of a BIDS tree, such as T1w, FLAIR or bold.",
    )
    labels: Annotated[Literal["auto", "all", "none"], Option(READ, ("convert",))] = Field(
        "auto", description="Volumes whose values are labels, never averaged: auto (as each file looks), all or none."
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """Parse numbers of channels: 0, "0", "0,2", (0, 2)."""
        parts = value if isinstance(value, (list, tuple)) else [] if value is None else str(value).split(",")
        numbers = [str(part).strip() for part in parts]
        if not all(number.isdecimal() for number in numbers) or len(set(numbers)) != len(numbers):
            raise ValueError(f"{value!r} names no channels, each once; counted from 0, such as 0 or 0,2")
        return tuple(int(number) for number in numbers) or None


PatchSide: TypeAlias = Annotated[int, _PATCH, BeforeValidator(one_side)]
"""Where patches have one size."""
LARGE_PATCH: int = Field(128, ge=32, le=1024, multiple_of=16, description=_PATCH_TEXT)
SMALL_PATCH: int = Field(64, ge=32, le=1024, multiple_of=16, description=_PATCH_TEXT)
VOLUME_PATCH: int = Field(16, ge=16, le=128, multiple_of=8, description=_PATCH_TEXT)


class VolumeTileSettings(TileSettings, VolumeSettings):
    """Every setting of `run embed --volumes --tile`, with its default. Lengths are voxels of each volume."""

    patch: PatchSide = VOLUME_PATCH

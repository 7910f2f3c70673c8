"""Settings of `run harmonize`, for volumes and for slides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...pipeline.option import FIND, TRY, Option
from ...pipeline.settings import RunSettings
from ...steps.settings import SlideSettings, VolumeSettings

PIECES = {"light": {2: 96, 3: 40}, "unet": {2: 128, 3: 64}, "resnet": {2: 128, 3: 48}}
"""Generator -> axes of the pieces -> their side in training."""
WIDTHS = {"light": {2: 16, 3: 16}, "unet": {2: 16, 3: 8}, "resnet": {2: 32, 3: 16}}
"""Generator -> axes -> channels of its first block."""


class HarmonizeSettings(RunSettings):
    """What both kinds of images have."""

    from_: Annotated[str, Option(FIND, ("train",), "every other site", "SITES")] = Field(
        "", description="Sites whose images are harmonized, by the column `site`, such as A or A,C."
    )
    to: Annotated[str, Option(FIND, ("train",), metavar="SITE")] = Field(
        "", description="Site that harmonized images are to look like; it must be given."
    )
    generator: Annotated[Literal["light", "unet", "resnet"], Option(FIND, ("train",))] = Field(
        "light",
        description="What harmonizes: light (intensity curve, smooth field, small sharpening network; minutes on a laptop), or "
        "a CycleGAN with a residual U-Net or the generator of Zhu et al.",
    )
    width: Annotated[int | None, Option(FIND, ("train",), "16; of a U-Net on volumes 8, of resnet on slices 32")] = (
        Field(
            None,
            ge=1,
            le=128,
            description="Channels of the generator's first block; 16 (unet) and 64 (resnet) as published.",
        )
    )
    piece: Annotated[int | None, Option(TRY, ("train",), "by generator: 40 to 128")] = Field(
        None, ge=32, le=512, multiple_of=8, description="Side of the pieces of images that training sees."
    )
    cycle: Annotated[float | None, Option(FIND, ("train",), "10; of a U-Net on volumes 30")] = Field(
        None, ge=0, le=1000, description="Weight of a CycleGAN's cycle loss."
    )
    identity: Annotated[float, Option(FIND, ("train",))] = Field(
        0.5, ge=0, le=10, description="Weight of a CycleGAN's identity loss, relative to the cycle loss."
    )
    holdout: Annotated[float, Option(TRY, ("train",))] = Field(
        0.25,
        ge=0,
        le=0.9,
        description="Share of the subjects that training does not see, for figures on unseen people; a column `split` of the "
        "list goes before.",
    )
    halo: Annotated[int | None, Option(FIND, ("apply",), "the generator's receptive field: no seams")] = Field(
        None,
        ge=0,
        le=512,
        description="Cells around a tile that are read with it; below the generator's receptive field, tiles are blended.",
    )
    tile: Annotated[int | None, Option(TRY, ("apply",), "512 px, or 128 voxels")] = Field(
        None, ge=16, le=4096, multiple_of=16, description="Side of a tile; it changes memory and speed, not results."
    )
    baselines: Annotated[bool, Option(TRY, ("map",))] = Field(
        True, description="Compare with identity, z-score, histogram matching, Nyúl landmarks and ComBat."
    )

    @model_validator(mode="after")
    def _sites(self) -> HarmonizeSettings:
        if self.to and self.to in self.sources:
            raise ValueError(f"to: {self.to!r} is also among the sites that are harmonized; leave it out of --from")
        if self.piece and self.generator == "unet" and self.piece % 16:
            raise ValueError(
                f"piece: a U-Net halves pieces four times, so their side is a multiple of 16; got {self.piece}"
            )
        if self.generator == "light" and (self.cycle is not None or self.identity != 0.5):
            raise ValueError(
                "cycle, identity: weights of a CycleGAN; the light generator has none. Use --generator unet or resnet"
            )
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The sites that were named; empty for all but the target."""
        return tuple(dict.fromkeys(site for part in self.from_.split(",") if (site := part.strip())))

    @property
    def network_axes(self) -> int:
        """Axes of the pieces that the generator sees."""
        return 2

    @property
    def piece_side(self) -> int:
        """Side of a piece."""
        return self.piece or PIECES[self.generator][self.network_axes]

    @property
    def first_width(self) -> int:
        """Channels of the generator's first block."""
        return self.width or WIDTHS[self.generator][self.network_axes]

    @property
    def cycle_weight(self) -> float:
        return 10.0 if self.cycle is None else self.cycle


class HarmonizeSlideSettings(HarmonizeSettings, SlideSettings):
    """Every setting of `run harmonize --slides`, with its default."""


class HarmonizeVolumeSettings(HarmonizeSettings, VolumeSettings):
    """Every setting of `run harmonize --volumes`, with its default."""

    slices: Annotated[bool, Option(FIND, ("train",))] = Field(
        False,
        description="Let a CycleGAN work on slices along each of the three axes; the mean of the three is written.",
    )

    @model_validator(mode="after")
    def _slices(self) -> HarmonizeVolumeSettings:
        if self.slices and self.generator == "light":
            raise ValueError("slices: the light generator works on volumes; use --generator unet or resnet")
        return self

    @property
    def network_axes(self) -> int:
        return 2 if self.slices else 3

    @property
    def cycle_weight(self) -> float:
        if self.cycle is None and self.generator == "unet" and not self.slices:
            return 30.0
        return super().cycle_weight

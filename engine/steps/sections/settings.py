"""SectionSettings: the settings of every run on blocks of sections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...pipeline.option import FIND, TRY, Option
from ..settings import SlideSettings


class SectionSettings(SlideSettings):
    """Settings of every run on sections: how they are registered."""

    resolution: Annotated[int, Option(FIND, ("convert",))] = Field(
        512,
        ge=64,
        le=4096,
        description="Longest side, in pixels, at which sections are compared; more is slower.",
    )
    seed: Annotated[int, Option(TRY, ("convert", "sample", "train"))] = Field(
        0, ge=0, lt=2**31, description="Seed of every random choice."
    )
    nonrigid: Annotated[Literal["auto", "none"], Option(FIND, ("convert",))] = Field(
        "auto",
        description="Displacement field after the affine map: auto (where held-out tissue says that it is better), or none.",
    )

    @property
    def known_stains(self) -> tuple[str, ...]:
        """The stains that blocks may have, in the order of the channels; empty where the blocks themselves decide it."""
        return ()

    @property
    def only_stain(self) -> str:
        """The one stain whose channels blocks have; empty where they have those of all stains."""
        return ""

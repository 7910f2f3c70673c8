"""Command: what the command line, the option reference and Python's signatures read of a run. It imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import SettingsError
from .settings import RunSettings


@dataclass(frozen=True, slots=True)
class Variant:
    """A command on one kind of images, perhaps only where a certain setting is given."""

    name: str
    """Unique among the command's variants."""
    images: str
    """Name of the modality: slides, volumes."""
    settings: type[RunSettings]
    given: str = ""
    """The setting that chooses it; empty for the variant that its images have otherwise."""
    option: str = ""
    """What a user adds to the command to choose it: --tile."""
    about: str = ""
    """What choosing it does, as the first sentence of that option's help."""


@dataclass(frozen=True, slots=True)
class Command:
    """A run as users see it: its name, what it is for, and what may be set."""

    name: str
    summary: str
    variants: tuple[Variant, ...]
    about: str = ""
    """What else its help says."""
    example: str = ""
    """A whole command line, for help."""

    @property
    def images(self) -> tuple[str, ...]:
        """Kinds of images that it takes, the usual one first."""
        return tuple(dict.fromkeys(variant.images for variant in self.variants))

    def variant(self, images: str, given: Iterable[str] = ()) -> Variant:
        """The one rule that decides what a run is: of the variants for these images the one whose setting is given.

        Raises SettingsError where the command does not take such images.
        """
        names = set(given)
        fitting = [v for v in self.variants if v.images == images and (not v.given or v.given in names)]
        if not fitting:
            raise SettingsError(
                f"`tile-engine run {self.name}` works on {' or '.join(self.images)}, and was given {images}.",
                "E_IMAGES",
            )
        return max(fitting, key=lambda v: bool(v.given))

    def chosen(self, images: Mapping[str, Any], given: Iterable[str] = ()) -> tuple[Variant, Any]:
        """The variant, and the images themselves, of what a user gave: kind of images -> which ones, or None.

        Raises SettingsError unless exactly one kind of images is given.
        """
        there = {name: value for name, value in images.items() if value is not None and value != []}
        if len(there) != 1:
            kinds = " or ".join(f"--{name}" for name in self.images)
            raise SettingsError(
                f"give {kinds}, exactly one of them (got {len(there)}): a run is on one kind of images.", "E_IMAGES"
            )
        name, value = next(iter(there.items()))
        return self.variant(name, given), value

    def called(self, variant: Variant) -> str:
        """What a user types after `tile-engine run`."""
        return " ".join(filter(None, (self.name, variant.option)))

    def named(self, name: str) -> Variant:
        """A variant by its name. Raises KeyError where there is none."""
        return {variant.name: variant for variant in self.variants}[name]

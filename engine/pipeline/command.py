"""Command: a run's interface, from which the CLI, option reference and Python signatures derive. No heavy imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import SettingsError
from .settings import RunSettings

UNNAMED = ""
"""The key of images whose kind the user did not name, where images are named by their kind."""


@dataclass(frozen=True, slots=True)
class Input:
    """The command-line option of a modality."""

    name: str
    """Name of the modality and of the option: slides."""
    help: str
    """What the option accepts."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A command on one modality, optionally selected by a setting."""

    name: str
    """Unique among the command's variants."""
    images: str
    """Name of the modality: slides, volumes."""
    settings: type[RunSettings]
    given: str = ""
    """The setting that selects this variant; empty for the modality's default variant."""
    option: str = ""
    """The command-line option that selects this variant: --tile."""
    about: str = ""
    """The effect of that option, as the first sentence of its help."""


@dataclass(frozen=True, slots=True)
class Command:
    """A run as users see it: its name, its purpose and its settings."""

    name: str
    summary: str
    variants: tuple[Variant, ...]
    about: str = ""
    """Further text of its help."""
    example: str = ""
    """An example command line, for help."""

    @property
    def images(self) -> tuple[str, ...]:
        """Modalities that the command accepts, the default first."""
        return tuple(dict.fromkeys(variant.images for variant in self.variants))

    def variant(self, images: str, given: Iterable[str] = ()) -> Variant:
        """Select the variant for these images: the one whose setting is in `given`, else the default one.

        Raises SettingsError where the command does not accept such images.
        """
        names = set(given)
        fitting = [v for v in self.variants if v.images == images and (not v.given or v.given in names)]
        if not fitting:
            raise SettingsError(
                f"`tile-engine run {self.name}` works on {' or '.join(self.images)}, not on {images}.",
                "E_IMAGES",
            )
        return max(fitting, key=lambda v: bool(v.given))

    def chosen(self, images: Mapping[str, Any], given: Iterable[str] = ()) -> tuple[Variant, Any]:
        """The variant and the images, from the user's input `images`: modality -> images, or None.

        Raises SettingsError unless images of exactly one modality are given.
        """
        inputs = {name: value for name, value in images.items() if value is not None and value != []}
        kinds = " or ".join(f"--{name}" for name in self.images)
        if not inputs:
            example = f": `{self.example}`" if self.example else ""
            raise SettingsError(
                f"`tile-engine run {self.name}` was given no images. Name a folder, files or a list of them{example}. "
                f"The options {kinds} say of which kind they are.",
                "E_IMAGES",
            )
        if len(inputs) != 1:
            raise SettingsError(
                f"give exactly one of {kinds}, got {len(inputs)}: a run works on one kind of images.", "E_IMAGES"
            )
        name, value = next(iter(inputs.items()))
        return self.variant(name, given), value

    def called(self, variant: Variant) -> str:
        """The command line of a variant, after `tile-engine run`."""
        return " ".join(filter(None, (self.name, variant.option)))

    def named(self, name: str) -> Variant:
        """The variant with this name. Raises KeyError where there is none."""
        return {variant.name: variant for variant in self.variants}[name]

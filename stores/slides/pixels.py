"""Pixels: the result of a slide reader, before the spacing is decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...errors import SlideError
from ..frame import Array, Box, Frame
from .cut_short import Cut
from .spacing import Stated


@dataclass(frozen=True, slots=True)
class SlideDescription:
    """Properties of a slide, without its pixels."""

    reader: str
    """Name of the reader, a row of SLIDE_READERS in reader.py."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) in pixels of each level, finest first."""
    factors: tuple[tuple[float, float], ...]
    """How many times coarser than the finest level each is, (y, x); whole numbers exactly where the shapes allow."""
    channels: int
    dtype: str
    background: int
    """Value of pixels that were not scanned."""
    stated: tuple[Stated, ...] = ()
    """Spacings of the finest level that the file states, the most trusted first."""
    notes: tuple[str, ...] = ()
    """Remarks on unusual properties of the file."""
    tiles: tuple[tuple[int, int], ...] = ()
    """(height, width) of the file's own tiles at each level; a hint for aligned reads."""
    corner: tuple[int, int] = (0, 0)
    """Pixel (y, x) of level 0 from which viewers such as QuPath count: the corner of the scanned area on its canvas."""
    cut: tuple[Cut, ...] = ()
    """What of each level lies behind the end of the file, where the reader knows where tiles lie."""
    frames: tuple[Frame, ...] = field(default=())
    """Frames of all levels, if the format states them (OME-Zarr)."""


class Pixels(Protocol):
    """An open slide; safe to read from several threads."""

    @property
    def described(self) -> SlideDescription: ...

    def read(self, box: Box, level: int) -> Array:
        """Pixels of `box` inside the level: (channel, y, x). Raises TileError where they cannot be decoded."""
        ...

    def absent(self, box: Box, level: int) -> list[Box]:
        """The parts of `box` that the file does not hold; `read` gives background, or the format's fill value, there."""
        ...

    def close(self) -> None: ...


def check_one_image(path: Path, part: str) -> None:
    """Raise SlideError (E_NO_PART) where a part is named of a file that is one image for its reader."""
    if part:
        raise SlideError(
            f"{path.name}: is one image for its reader, so there is no image {part!r} in it. Leave out --part, or the file.",
            "E_NO_PART",
        )


def level_factor(finest: tuple[int, int], level: tuple[int, int]) -> tuple[float, float]:
    """How many times coarser a level is: the whole number if both sides fit it by floor or ceil, else the ratio.

    >>> level_factor((2967, 2220), (741, 555)), level_factor((300, 200), (120, 80))
    ((4.0, 4.0), (2.5, 2.5))
    """
    for k in {round(finest[0] / level[0]), round(finest[1] / level[1])} - {0}:
        if all(m in (n // k, -(-n // k)) for n, m in zip(finest, level, strict=True)):
            return float(k), float(k)
    return finest[0] / level[0], finest[1] / level[1]

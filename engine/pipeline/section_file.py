"""SectionFile: one section of a block, as stored with its block in an ImageRecord."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict

from ...stores.frame import Frame
from ...stores.inside import is_id

AXES = ("z", "y", "x")
"""Axes of a volume; a slide has the last two."""


@dataclass(frozen=True, slots=True)
class SectionFile:
    """One section of a block, in one stain."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    """Unique among the sections of its block, and a valid file name."""
    stain: str
    name: str
    """Path relative to the input folder."""
    path: str
    fingerprint: str
    reader: str
    native_spacing: float
    """Micrometres per pixel of level 0."""
    native_shape: tuple[int, ...]
    """Pixels (y, x) of level 0."""
    spacing: tuple[float, ...]
    """Micrometres per pixel (y, x) of level 0."""
    origin: tuple[float, ...]
    """Position of the first pixel's lower edges, in micrometres."""
    mpp: float | None = None
    part: str = ""
    levels: tuple[int, ...] = ()
    """As `ImageRecord.levels`."""
    reference: bool = False
    """Whether the others of the block are registered to it."""
    corner: tuple[int, ...] = ()
    """As `ImageRecord.corner`."""
    landmarks: str = ""
    """CSV of points X, Y in pixels of level 0, the same in all sections of the block; empty where there is none."""

    def __post_init__(self) -> None:
        """Raises ValueError for an id that is no file name: a document may state any."""
        if not is_id(self.id):
            raise ValueError(f"{self.id!r} is no id of a section")
        if len(self.frame.shape) != 2:
            raise ValueError(f"a section has two axes, got the shape {self.native_shape}")

    @property
    def frame(self) -> Frame:
        """The frame of level 0 of its own file."""
        return Frame(AXES[-2:], self.native_shape, self.spacing, self.origin)

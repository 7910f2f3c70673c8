"""ImageRecord: one accepted image of a run, as slides.json keeps it; and what is known of a cohort before work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from ...stores.frame import Box, Frame
from ...stores.slides.guarded import Piece

AXES = ("z", "y", "x")
"""Of a volume; a slide has the last two."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One accepted slide of a run, as slides.json keeps it; or a volume, which has an axis z before y and x."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    name: str
    """Path relative to the input folder."""
    path: str
    fingerprint: str
    """Of the file: its size, time and ends."""
    mpp: float | None
    """What the user stated, if anything."""
    subject: str
    """Whose it is; empty where nobody said."""
    site: str
    columns: dict[str, str]
    """What the user's list says of it beside that, by the name of the column."""
    reader: str
    native_spacing: float
    """Micrometres a pixel of the slide's level 0."""
    native_shape: tuple[int, ...]
    """Pixels (y, x) of the slide's level 0."""
    channels: int
    dtype: str
    background: int
    shape: tuple[int, ...]
    """Pixels (y, x) at the run's spacing."""
    spacing: tuple[float, ...]
    """Micrometres a pixel (y, x) that the run works at on this slide."""
    origin: tuple[float, ...] = (0.0, 0.0)
    """Micrometres of the first pixel's lower edges."""
    notes: tuple[str, ...] = ()
    subimage: str = ""
    """What is meant inside the file, where it holds several images."""

    @property
    def key(self) -> str:
        """Fingerprint of what of this slide decides any result."""
        return digest(
            self.id, self.fingerprint, self.mpp, self.spacing, self.shape, *([self.subimage] if self.subimage else [])
        )

    @property
    def columns_digest(self) -> str:
        """Fingerprint of every column that the user's list has on this image."""
        return digest(self.subject, self.site, self.columns)

    def column(self, name: str) -> Any:
        """What the user's list says of this image in a column; "subject", "site", or "*" for all of them; "" where it says
        nothing."""
        own = {"*": self.columns_digest, "subject": self.subject, "site": self.site}
        return own[name] if name in own else self.columns.get(name, "")

    @property
    def frame(self) -> Frame:
        return Frame(AXES[-len(self.shape) :], self.shape, self.spacing, self.origin)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an image was left out."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    code: str
    message: str
    step: str = "open"
    """Which step found it out."""
    fingerprint: str = ""
    """Of the file then: one that was changed since is tried again."""


@dataclass(frozen=True, slots=True)
class QuarantinedTile:
    """A tile that ends the process that decodes it, and is masked."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    level: int
    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def piece(self) -> Piece:
        return self.level, Box(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class InspectedCohort:
    """A cohort after the first look at each of its files."""

    spacing: float
    """Micrometres a pixel that the run works at; of volumes their median."""
    slides: dict[str, ImageRecord]
    rejected: dict[str, Rejection]
    ignored: tuple[tuple[str, str], ...]
    """Name and reason of files that are plainly no images."""
    root: Path


def digest(*parts: Any) -> str:
    """A short fingerprint of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()[:16]

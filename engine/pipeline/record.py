"""ImageRecord: one accepted image of a run, as stored in slides.json; rejections, quarantined tiles, inspected cohorts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from ...stores.frame import Box, Frame
from ...stores.placement import Affine, Placement, placement
from ...stores.slides.guarded import Piece
from .section_file import AXES, SectionFile

MAX_CELLS = 2**42
"""Cells of an image at the run's spacing, at most: two million along each side of a slide."""
ALL_COLUMNS = "*"
"""Stands for all columns of the user's list."""
REGISTERED, MAPS = "registered", "maps"
"""Columns of a block whose maps are taken over from a run: the run's folder, and the fingerprint of its maps."""
COLOURS = ("red", "green", "blue")
"""Channels of a stain in a block, in order."""


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A file of a batch of films, and which of its films are in the batch."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    """Path relative to the input folder."""
    path: str
    fingerprint: str
    part: str = ""
    """The array inside a file that holds several."""
    first: int = 0
    count: int = 1
    total: int = 1
    """Films of the file, in this batch and in others."""
    subject: str = ""
    site: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    """Other columns of the file's row in the user's list: name -> value."""

    def column(self, name: str) -> Any:
        """As `ImageRecord.column`."""
        own = {ALL_COLUMNS: digest(self.subject, self.site, self.columns), "subject": self.subject, "site": self.site}
        return own[name] if name in own else self.columns.get(name, "")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One accepted image of a run, as stored in slides.json: a slide (y, x), a volume (z, y, x), a batch of films, or a block.

    A batch of films (film, y, x) is one image of a run: it is what one unit of work reads, and one shard of films.zarr. A block
    is the stack (y, x) of its sections on the frame of one of them, three channels a stain.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    name: str
    """Path relative to the input folder."""
    path: str
    fingerprint: str
    """Fingerprint of the file: its size, modification time, first and last bytes."""
    mpp: float | None
    """Micrometres per pixel that the user stated, or None."""
    subject: str
    """The subject that the image belongs to; empty where unknown."""
    site: str
    columns: dict[str, str]
    """Other columns of the image's row in the user's list: name -> value."""
    reader: str
    native_spacing: float
    """Micrometres per pixel of the slide's level 0."""
    native_shape: tuple[int, ...]
    """Pixels (y, x) of the slide's level 0."""
    channels: int
    dtype: str
    background: int
    shape: tuple[int, ...]
    """Pixels (y, x) at the run's spacing."""
    spacing: tuple[float, ...]
    """Micrometres per pixel (y, x) that the run uses for this slide."""
    origin: tuple[float, ...] = (0.0, 0.0)
    """Position of the first pixel's lower edges, in micrometres."""
    notes: tuple[str, ...] = ()
    subimage: str = ""
    """The image inside the file, where the file holds several."""
    corner: tuple[int, ...] = ()
    """Pixel (y, x) of level 0 from which viewers such as QuPath count; empty where that is the first."""
    tissue_mask: str = ""
    """File of the tissue mask from outside; empty where the mask is computed."""
    tissue_mask_fingerprint: str = ""
    affine: Affine = ()
    """Of a volume, the canonical affine: indices (x, y, z, 1) to millimetres Right, Anterior, Superior. Empty of a slide."""
    levels: tuple[int, ...] = ()
    """Of a slide, numbers of the file's levels that are copies of the finest one; empty where they were not checked."""
    labels: bool = False
    """Whether its numbers name regions: they are never averaged."""
    films: tuple[FilmFile, ...] = ()
    """Of a batch of films, its files in order."""
    stains: tuple[str, ...] = ()
    """Of a block, the stains of the run in the order of the channels, three each; some may be missing in the block."""
    sections: tuple[SectionFile, ...] = ()
    """Of a block, its sections in the order of their stains; one is the reference, whose file is the record's own."""

    def __post_init__(self) -> None:
        """Raises ValueError for shapes, spacings or an affine that make no frame: a document may state any."""
        if len(self.frame.shape) not in (2, 3) or len(self.native_shape) != len(self.shape):
            raise ValueError(f"an image has two or three axes, got the shapes {self.shape} and {self.native_shape}")
        if math.prod(self.shape) > MAX_CELLS:
            raise ValueError(f"an image has at most {MAX_CELLS} cells, got the shape {self.shape}")
        if self.affine and [len(row) for row in self.affine] != [4] * 4:
            raise ValueError(f"an affine has four rows of four numbers, got {self.affine}")
        if self.sections and [one.path for one in self.sections if one.reference] != [self.path]:
            raise ValueError("a block has one reference section, whose file is its own")

    @property
    def key(self) -> str:
        """Fingerprint of the fields that can affect a result."""
        mask = [{"tissue_mask": self.tissue_mask_fingerprint}] if self.tissue_mask else []
        part = [self.subimage] if self.subimage else []
        turned = [] if self.placement.straight else [self.affine]
        kind = ["labels"] if self.labels else []
        stack = [[self.stains, self.sections_key]] if self.stains else []
        return digest(
            self.id, self.fingerprint, self.mpp, self.spacing, self.shape, *part, *mask, *turned, *kind, *stack
        )

    @property
    def sections_key(self) -> str:
        """Fingerprint of a block's sections and of the maps that it takes over, whatever stains other blocks have."""
        sections = [[s.id, s.fingerprint, s.mpp, s.part, s.reference] for s in self.sections]
        return digest(self.id, self.spacing, sections, [self.columns.get(name, "") for name in (REGISTERED, MAPS)])

    @property
    def columns_digest(self) -> str:
        """Fingerprint of all columns of the image's row in the user's list."""
        films = [[film.column(ALL_COLUMNS) for film in self.films]] if self.films else []
        return digest(self.subject, self.site, self.columns, *films)

    def column(self, name: str) -> Any:
        """The image's value in a column of the user's list, "" where it has none; of a batch, that of each of its files.

        "*" gives the digest of all columns.
        """
        if self.films:
            return [film.column(name) for film in self.films]
        own = {ALL_COLUMNS: self.columns_digest, "subject": self.subject, "site": self.site}
        return own[name] if name in own else self.columns.get(name, "")

    @property
    def file(self) -> tuple[str, str]:
        """(path, fingerprint) of its file; of a batch of films, those of its first one."""
        first = self.films[0] if self.films else self
        return first.path, first.fingerprint

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """(path, fingerprint) of the files whose change ends the work on it: its own, or those of its sections."""
        return tuple((s.path, s.fingerprint) for s in self.sections) or ((self.path, self.fingerprint),)

    @property
    def rows(self) -> tuple[ImageRecord | FilmFile, ...]:
        """What has a row of its own in the user's list: the films of a batch, else the image itself."""
        return self.films or (self,)

    @property
    def images(self) -> int:
        """The number of the user's images that it stands for: the films of a batch, else 1."""
        return self.shape[0] if self.films else 1

    @property
    def reference(self) -> SectionFile:
        """Of a block, the section that the others are registered to."""
        return next(one for one in self.sections if one.reference)

    @property
    def moving(self) -> tuple[SectionFile, ...]:
        """Of a block, the sections that are registered to the reference."""
        return tuple(one for one in self.sections if not one.reference)

    def section(self, stain: str) -> SectionFile | None:
        """Of a block, the section of a stain; None where it has none."""
        return next((one for one in self.sections if one.stain == stain), None)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Of a block, the names of its channels; empty of other images."""
        return tuple(f"{stain} {colour}" for stain in self.stains for colour in COLOURS)

    @property
    def native_scale(self) -> tuple[float, ...]:
        """Pixels of level 0 of its file in a pixel of the run, by axis; whole where shapes are rounded from whole ones."""
        sizes = list(zip(self.native_shape, self.shape, strict=True))
        whole = [max(1, round(native / n)) for native, n in sizes]
        if all(abs(k * n - native) < k for k, (native, n) in zip(whole, sizes, strict=True)):
            return tuple(map(float, whole))
        return tuple(native / n for native, n in sizes)

    @property
    def frame(self) -> Frame:
        return Frame(AXES[-len(self.shape) :], self.shape, self.spacing, self.origin)

    @property
    def assumed_orientation(self) -> tuple[str, ...]:
        """Of a volume whose file does not state which side is which, the notes that say what is assumed."""
        return notes_of_orientation(self.notes) if len(self.shape) == 3 else ()

    @property
    def placement(self) -> Placement:
        """Where positions on the frame lie in the scanner: the same, unless the volume is oblique."""
        return placement(self.frame, self.affine)


def notes_of_orientation(notes: Iterable[str]) -> tuple[str, ...]:
    """Those notes of a volume that say which orientation is assumed, as its file states none."""
    return tuple(note for note in notes if "no orientation" in note)


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why an image was rejected."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    code: str
    message: str
    step: str = "open"
    """The step that rejected the image; "open" is before all steps."""
    fingerprint: str = ""
    """Fingerprint of the file when it was rejected; a changed file is tried again."""
    image: str = ""
    """The batch that it is one film of; empty where the whole image is rejected."""
    path: str = ""
    """Its file, as `name` is for display; empty of blocks and of single films, and in documents of earlier versions."""
    part: str = ""
    """The image inside the file, where the file holds several."""


def rejection_of_image(record: ImageRecord, code: str, message: str, step: str = "open") -> Rejection:
    """The rejection of an image that could be opened."""
    path = "" if record.stains else record.path
    return Rejection(record.name, code, message, step, record.fingerprint, path=path, part=record.subimage)


@dataclass(frozen=True, slots=True)
class QuarantinedTile:
    """A tile that crashes the process that decodes it, and is therefore masked."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    level: int
    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for corners that are none of a box."""
        Box(self.start, self.stop)

    @property
    def piece(self) -> Piece:
        return self.level, Box(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class InspectedCohort:
    """A cohort after each of its files was opened: accepted, rejected and ignored files."""

    spacing: float
    """Micrometres per pixel that the run works at; for volumes, the median of their spacings."""
    slides: dict[str, ImageRecord]
    rejected: dict[str, Rejection]
    ignored: tuple[tuple[str, str], ...]
    """Name and reason of ignored files, which are not images."""
    root: Path
    notes: tuple[str, ...] = ()
    """What columns of the user's list were taken for, and how its cells were read."""
    warnings: tuple[str, ...] = ()
    """Rows of the list that fit no image, and images that fit no row."""


def digest(*parts: Any) -> str:
    """A short fingerprint of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()[:16]

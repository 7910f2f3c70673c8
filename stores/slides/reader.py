"""Opening of slides: the content of a file decides the reader; spacing.py decides the size of a pixel."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType

from ...errors import SlideError, TileError
from ..cache import Lease, is_copied, near
from ..foreign import foreign, kind_of_fault
from ..frame import Array, Box, Frame
from ..remote import to_path
from ..tile_reader import Tiled, TileReader
from . import dicom_reader, fastslide_reader, openslide_reader, picture_reader, tiff_reader, zarr_levels, zarr_reader
from .cut_short import Cut, cut_notes
from .file_head import head_of, kind_of, misnamed, not_a_slide
from .file_marks import fingerprint
from .level_check import LevelCheck, SomeLevels, true_levels
from .pixels import Pixels, SlideDescription
from .spacing import choose, overridden, settle


@dataclass(frozen=True, slots=True)
class SlideReader:
    """A row of the table of readers."""

    name: str
    accepts: Callable[[Path, bytes], bool]
    """(path, first bytes) -> whether this reader accepts the file."""
    open: Callable[[Path, str], Pixels]
    """(path, image inside the file or "") -> its pixels."""
    why: str
    """Why files that it accepts are read by it."""


SLIDE_READERS = (
    SlideReader("ome-zarr", zarr_levels.accepts, zarr_reader.ZarrPixels, "the folder is an OME-Zarr image"),
    SlideReader("tiff", tiff_reader.accepts, tiff_reader.TiffPixels, "tiles of this TIFF are decoded directly"),
    SlideReader("dicom", dicom_reader.accepts, dicom_reader.DicomPixels, "frames of DICOM slides are decoded directly"),
    SlideReader("openslide", openslide_reader.accepts, openslide_reader.OpenSlidePixels, "OpenSlide knows this format"),
    SlideReader("picture", picture_reader.accepts, picture_reader.PicturePixels, "the file is a plain picture"),
    SlideReader("fastslide", fastslide_reader.accepts, fastslide_reader.FastSlidePixels, "no other reader reads it"),
)
"""All readers; the first that accepts a file and can open it reads it. docs/benchmarks.md has the figures behind the order."""

_NEXT_READER_CODES = ("E_UNREADABLE", "E_UNSUPPORTED_PIXELS", fastslide_reader.NO_READER)
"""Reason codes after which the next reader is tried."""


class Slide:
    """An open slide as a Source, with its spacing settled; close it, or use it in a `with` statement."""

    def __init__(
        self,
        pixels: Pixels,
        frames: tuple[Frame, ...],
        spacing_source: str,
        *,
        levels: tuple[int, ...] = (),
        lease: Lease | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._pixels = pixels
        self._frames = frames
        self._described = pixels.described
        self.notes = (*self._described.notes, *cut_notes(self._described.cut), *notes)
        """Remarks on unusual properties of the file, and on what the user states of it."""
        self.cut = self._described.cut
        """What of each level lies behind the end of the file; empty where the reader cannot tell."""
        self.spacing_source = spacing_source
        """Source of the spacing: "csv/--mpp", "file" or "TIFF resolution"."""
        self.levels = levels or tuple(range(len(frames)))
        """Number in the file of each level; the check of levels left out the others."""
        self._release = weakref.finalize(self, lease.release) if lease else None

    @property
    def frames(self) -> tuple[Frame, ...]:
        return self._frames

    @property
    def channels(self) -> int:
        return self._described.channels

    @property
    def dtype(self) -> str:
        return self._described.dtype

    @property
    def background(self) -> int:
        return self._described.background

    @property
    def reader(self) -> str:
        """Name of the reader, a row of SLIDE_READERS."""
        return self._described.reader

    @property
    def corner(self) -> tuple[int, int]:
        """Pixel (y, x) of level 0 from which viewers such as QuPath count."""
        return self._described.corner

    @property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of the file's own tiles at each level: reads along them decode nothing twice."""
        return self._described.tiles

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box` inside `frames[level]`: (channel, y, x), not always contiguous.

        Raises TileError if they cannot be decoded, ValueError for a box outside of the frame.
        """
        frame = self._frames[level]
        if not frame.box.contains(box):
            raise ValueError(
                f"a box is read inside its frame: {box} is not within {frame.shape} of level {level}. Clip it first."
            )
        with foreign(
            lambda why: TileError(f"{box} of level {level} cannot be read: its reader fails unexpectedly ({why})")
        ):
            return self._pixels.read(box, level)

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """What decodes the file's own tiles; None where the reader decodes none one by one."""
        return self._pixels.tile_reader(level) if isinstance(self._pixels, Tiled) else None

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        """The parts of `box` inside `frames[level]` that the file does not hold: tiles and chunks that were never written."""
        return self._pixels.absent(box, level)

    def close(self) -> None:
        self._pixels.close()
        if self._release:
            self._release()

    def __enter__(self) -> Slide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Probe:
    """Description of a slide for display, also of an unusable one."""

    name: str
    reader: str
    why: str
    """Why this reader reads the file, and what the readers before it said of the file."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) in pixels of each level, finest first."""
    factors: tuple[tuple[float, float], ...]
    """How many times coarser than the finest level each is, (y, x)."""
    channels: int
    dtype: str
    spacing: tuple[float, float] | None
    """Stated micrometres a pixel (y, x), believable or not; None where nothing is stated."""
    spacing_source: str
    notes: tuple[str, ...]
    cut: tuple[Cut, ...]
    """As of a Slide."""
    problems: tuple[tuple[str, str], ...]
    """(reason code, message): empty if the slide can be used."""


def open_slide(path: Path, mpp: float | None = None, part: str = "", check: LevelCheck = true_levels) -> Slide:
    """Open a slide. `mpp`, micrometres a pixel of the finest level, overrides the file; `part` names one of several images.

    `check` decides which levels are copies of the finest one; `recorded_levels` repeats an earlier decision.

    Raises SlideError with a reason code: E_EMPTY, E_NOT_A_SLIDE, E_UNREADABLE, E_MISSING_COMPANION, E_NO_MPP, E_BAD_MPP,
    E_UNSUPPORTED_PIXELS, E_BOMB, E_TOO_BIG, E_TRUNCATED, E_MALFORMED, E_NGFF, E_IS_VOLUME, E_PATH, E_NO_PART, E_NO_READER.
    """
    path = to_path(path)
    lease = Lease(path, fingerprint(path)) if is_copied(path) else None
    pixels = None
    try:
        pixels, levels, _ = _open_pixels(lease.path if lease else path, part, check)
        described = pixels.described
        spacing, source = settle(path.name, mpp, described.stated)
        notes = overridden(mpp, described.stated)
        return Slide(pixels, _frames(described, spacing), source, levels=levels, lease=lease, notes=notes)
    except BaseException:
        if pixels:
            pixels.close()
        if lease:
            lease.release()
        raise


def probe(path: Path, mpp: float | None = None, part: str = "") -> Probe:
    """Describe a slide, also with a missing or invalid spacing. Raises SlideError only if it cannot be opened."""
    path = to_path(path)
    with near(path, fingerprint(path) if is_copied(path) else "") as local_path:
        pixels, _, why = _open_pixels(local_path, part, true_levels)
        described = pixels.described
        pixels.close()
    choice = choose(mpp, described.stated)
    problems = []
    try:
        settle(path.name, mpp, described.stated)
    except SlideError as error:
        problems.append((error.code, error.message))
    return Probe(
        name=path.name,
        reader=described.reader,
        why=why,
        shapes=described.shapes,
        factors=described.factors,
        channels=described.channels,
        dtype=described.dtype,
        spacing=None if choice is None else choice.values,
        spacing_source="" if choice is None else choice.source,
        notes=(*described.notes, *overridden(mpp, described.stated)),
        cut=described.cut,
        problems=tuple(problems),
    )


def _open_pixels(path: Path, part: str, check: LevelCheck) -> tuple[Pixels, tuple[int, ...], str]:
    """Pixels from the first reader that accepts and opens the file, of the levels that `check` keeps; their numbers; and why
    this reader has it.

    Raises the first reader's error where none opens it; it also names a reader that is not installed."""
    head = head_of(path)
    refusals: list[tuple[str, SlideError]] = []
    for reader in SLIDE_READERS:
        if not reader.accepts(path, head):
            continue
        try:
            with foreign(partial(_unforeseen, path.name)):
                pixels = reader.open(path, part)
        except SlideError as error:
            if error.code not in _NEXT_READER_CODES:
                raise
            refusals.append((reader.name, error))
            continue
        try:
            levels, notes = check(pixels)
        except BaseException:
            pixels.close()
            raise
        if len(levels) < len(pixels.described.shapes):
            pixels = SomeLevels(pixels, levels, notes)
        note = "" if path.is_dir() else misnamed(path, kind_of(head))
        why = "; ".join([reader.why, *(f"the reader {name} refused it: {error.message}" for name, error in refusals)])
        return (_Noted(pixels, note) if note else pixels), levels, why
    if refusals:
        _, first = refusals[0]
        last = refusals[-1][1]
        if len(refusals) > 1 and last.code == fastslide_reader.NO_READER:
            raise SlideError(f"{first.message} Or: {last.message}", first.code) from first
        raise first
    if path.is_dir():
        raise SlideError(
            f"{path.name}: is a folder and no OME-Zarr image (it has no zarr metadata); give the slides in it one by "
            "one, or the folder as --slides.",
            "E_NOT_A_SLIDE",
        )
    raise not_a_slide(path, head)


def _unforeseen(name: str, why: str) -> SlideError:
    text = f"{name}: cannot be opened: its reader fails unexpectedly ({kind_of_fault(why)}); it is probably damaged."
    return SlideError(f"{text} Copy it again, or convert it with another tool.", "E_UNREADABLE")


class _Noted:
    """Pixels with one more note."""

    def __init__(self, pixels: Pixels, note: str) -> None:
        self.described = replace(pixels.described, notes=(note, *pixels.described.notes))
        self.read, self.absent, self.close = pixels.read, pixels.absent, pixels.close
        self._pixels = pixels

    def tile_reader(self, level: int = 0) -> TileReader | None:
        return self._pixels.tile_reader(level) if isinstance(self._pixels, Tiled) else None


def _frames(described: SlideDescription, spacing: tuple[float, float]) -> tuple[Frame, ...]:
    if described.frames:
        y, x = (s / f for s, f in zip(spacing, described.frames[0].spacing, strict=True))
        if (y, x) == (1.0, 1.0):
            return described.frames
        return tuple(
            Frame(f.axes, f.shape, (f.spacing[0] * y, f.spacing[1] * x), (f.origin[0] * y, f.origin[1] * x))
            for f in described.frames
        )
    return tuple(
        Frame(("y", "x"), shape, (spacing[0] * y, spacing[1] * x))
        for shape, (y, x) in zip(described.shapes, described.factors, strict=True)
    )

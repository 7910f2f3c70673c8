"""rejected_file: a small picture of one file that a run rejected, or why there is none.

A child process draws them, one at a time: a damaged file may end the process that reads it, never be read to its end, or take
much memory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ...stores.foreign import foreign, kind_of_fault
from ...stores.frame import Array, Box
from ..show.thumbnail import thumbnail_source
from ..workers.child import Say

TOO_LARGE = "E_TOO_BIG"
"""Reason code of a file that is too large for a picture."""
MAX_CELLS = 1 << 25
"""Cells that are read for a picture, at most."""
MAX_VOLUME_BYTES = 1 << 29
"""Bytes of a volume, packed or unpacked, of which a picture is made, at most: packed ones are unpacked whole."""
SEARCHED_FILES = 1000
"""Files of a folder that are looked at for such pictures, at most."""

UNREACHED, GONE = "no picture: the file cannot be reached", "no picture: no such file now"
PASSING = (UNREACHED, GONE)
"""Reasons that may not hold at another time."""


class NotDrawnError(Exception):
    """Why a file that may be readable is not drawn."""


def draw_in_child(items: list[Any], say: Say) -> None:
    """Say [number, {"picture": `data:` URL} or {"why": text}] of each item [kind of images, path, part, fingerprint]."""
    for number, item in enumerate(items):
        say("done", [number, drawn(*item)])


def drawn(kind: str, path: str, part: str, mark: str) -> dict[str, str]:
    """The picture of a file by the reader of a run's `kind` of images ("slides"), or why there is none, as JSON values."""
    file = Path(path)
    try:
        if not file.exists():
            return {"why": GONE}
        with foreign(lambda why: SlideError(kind_of_fault(why), "E_MALFORMED")):
            if mark != _mark(kind, file):
                return {"why": "not drawn: the file is not the one that was rejected, or was changed since"}
            return {"picture": thumbnail_source(_READERS[kind](file, part))}
    except OSError:
        return {"why": UNREACHED}
    except SlideError as error:
        if isinstance(error.__cause__, NotDrawnError):
            return {"why": f"not drawn: {error.__cause__}"}
        why = "it is too large" if error.code == TOO_LARGE else "the file cannot be read"
        return {"why": f"no picture: {why} ({error.code})"}


def _mark(kind: str, path: Path) -> str:
    from ...stores.films.mark import film_mark
    from ...stores.slides.file_marks import fingerprint

    return film_mark(path) if kind == "films" else fingerprint(path)


def _of_slide(path: Path, part: str) -> Array:
    """The coarsest level (channel, y, x), with background where it cannot be decoded; its spacing does not matter here.

    Labels, photographs of the glass and scanned forms have one level; so only files with several are drawn.
    """
    from ...stores.slides.file_head import head_of
    from ...stores.slides.picture_reader import accepts
    from ...stores.slides.reader import open_slide
    from ...stores.slides.view import read_masked

    if not path.is_dir() and accepts(path, head_of(path)):
        raise NotDrawnError("a plain picture may show a label or a form")
    slide = open_slide(path, mpp=1.0, part=part)
    try:
        if len(slide.frames) < 2:
            raise NotDrawnError("a file of one level may show a label or a form")
        level, box = len(slide.frames) - 1, slide.frames[-1].box
        _check_size(box.size)
        pixels, lost = read_masked(slide, box, level)
        if sum(hole.size for hole in lost) >= box.size:
            raise SlideError("no tile of its coarsest level can be decoded.", "E_TRUNCATED")
        return pixels
    finally:
        slide.close()


def _of_volume(path: Path, part: str) -> Array:
    """The middle plane (1, y, x), up is anterior."""
    from ...stores.volumes.reader import open_volume

    files = sorted(path.iterdir())[:SEARCHED_FILES] if path.is_dir() else [path]
    for file in files:
        _check_no_text(file)
    if not path.is_dir() and max(path.stat().st_size, _unpacked(path)) > MAX_VOLUME_BYTES:
        raise SlideError("its voxels are too many for a picture.", TOO_LARGE)
    volume = open_volume(path, part)
    try:
        box = volume.frames[0].box
        middle = box.shape[0] // 2
        plane = Box((middle, *box.start[1:]), (middle + 1, *box.stop[1:]))
        _check_size(plane.size)
        return np.asarray(volume.read(plane, 0))[:1, 0, ::-1]
    finally:
        volume.close()


def _of_film(path: Path, part: str) -> Array:
    """A film (1, y, x)."""
    from ...stores.films.reader import count_films, read_film
    from ...stores.films.stacks import is_npy, is_npz
    from ...stores.slides.cohort import SlideEntry
    from ...stores.slides.file_head import head_of

    head = head_of(path)
    if is_npz(path, head) or is_npy(path, head):
        raise NotDrawnError("a set of films")
    _check_no_text(path)
    _check_size(_film_cells(path, part))
    if count_films(SlideEntry("", path, path.name, part=part)) != 1:
        raise NotDrawnError("several films in a file")
    return read_film(path, part).values[None]


def _film_cells(path: Path, part: str) -> int:
    """Pixels of a film, by its header."""
    from ...stores.films.dicom_films import accepts
    from ...stores.films.dicom_frames import film_header
    from ...stores.slides.file_head import head_of
    from ...stores.slides.picture_reader import picture_size
    from ...stores.slides.tiff_reader import TiffPixels

    head = head_of(path)
    if accepts(path, head):
        header = film_header(path)
        return int(header.Rows) * int(header.Columns)
    if head[:2] not in (b"II", b"MM"):
        height, width = picture_size(path)
        return height * width
    pixels = TiffPixels(path, part)
    try:
        height, width = pixels.described.shapes[0]
        return height * width
    finally:
        pixels.close()


def _check_no_text(path: Path) -> None:
    from ...stores.slides.burned_in import may_show_text

    if path.is_file() and may_show_text(path):
        raise NotDrawnError("a DICOM picture that may show text, such as a name")


def _unpacked(path: Path) -> int:
    """Bytes that a gzip file says it unpacks to, of which it keeps the lower 32 bits; 0 of other files."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return 0
        file.seek(-4, os.SEEK_END)
        (size,) = struct.unpack("<I", file.read(4))
        return int(size)


def _check_size(cells: int) -> None:
    if cells > MAX_CELLS:
        raise SlideError("it is too large for a picture.", TOO_LARGE)


_READERS: dict[str, Callable[[Path, str], Array]] = {
    "slides": _of_slide,
    "sections": _of_slide,
    "volumes": _of_volume,
    "films": _of_film,
}

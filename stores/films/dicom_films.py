"""DICOM films: pictures of DICOM files of any modality as films, with the facts that may be known of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..foreign import foreign, kind_of_fault
from ..frame import Array
from ..slides.file_head import head_of
from ..slides.pixels import check_one_image
from ..volumes.file_head import DICOM, content_of
from .dicom_display import codes_of, display_table
from .dicom_frames import film_header, frame_count, stored_frames
from .film import Film, constant_notes
from .grey import grey_of

_SPACINGS = ("ImagerPixelSpacing", "PixelSpacing")
_CODES = {
    "modality": "Modality",
    "photometric": "PhotometricInterpretation",
    "view": "ViewPosition",
    "body_part": "BodyPartExamined",
}
_PLAIN = re.compile(r"[A-Z0-9_ ]{1,16}")


def accepts(path: Path, head: bytes) -> bool:
    kind = content_of(head)
    return kind.startswith(DICOM) or (head[:2] == b"\x1f\x8b" and ".dcm" in path.name.lower())


def count_dicom(path: Path, part: str) -> int:
    """Pictures of a file, from its header. Raises SlideError."""
    _check_readable(path, part)
    return frame_count(film_header(path))


def dicom_films(path: Path, part: str, start: int, stop: int) -> Iterator[Film | SlideError]:
    """Films [start, stop) of a file, each decoded when it is asked for. Raises SlideError for the file as a whole."""
    _check_readable(path, part)
    data = film_header(path, pixels=True)
    frames = stored_frames(path, data, start, stop)
    for number, frame in zip(range(start, stop), frames, strict=True):
        if isinstance(frame, SlideError):
            yield frame
            continue
        try:
            with foreign(partial(_contradictory, path)):
                film = _film(path, data, number, frame)
            yield film
        except SlideError as error:
            yield error


def _contradictory(path: Path, why: str) -> SlideError:
    # what a parser says can quote an element, and elements hold names
    return SlideError(
        f"{path.name}: its elements contradict each other ({kind_of_fault(why)}). Export it again.", "E_DICOM"
    )


def _check_readable(path: Path, part: str) -> None:
    check_one_image(path, part)
    if content_of(head_of(path)) == f"{DICOM} without its preamble":
        raise SlideError(
            f"{path.name}: is DICOM without its preamble; what is in it would have to be guessed. Write it again with its file "
            "meta information.",
            "E_DICOM",
        )


def _film(path: Path, data: Any, number: int, frame: Array) -> Film:
    plane, notes = grey_of(path.name, frame)
    facts, more = _facts(data, plane.shape)
    notes += more
    if frame.shape[-1] > 1:  # colours have no windows
        values = (plane / np.float32(2 ** int(data.BitsAllocated) - 1)).astype(np.float32)
        return Film(values, (*notes, *constant_notes(values)), facts)
    codes, more = codes_of(data, plane)
    notes += more
    table, more = display_table(path, data, number, codes)
    values = table[codes]
    return Film(values, (*notes, *more, *constant_notes(values)), facts)


def _facts(data: Any, shape: tuple[int, ...]) -> tuple[dict[str, str], list[str]]:
    texts = {name: str(data.get(element, "") or "").strip() for name, element in _CODES.items()}
    notes = [
        f"its {name} is no short code and is left out"
        for name, text in texts.items()
        if text and not _PLAIN.fullmatch(text)
    ]
    facts = {name: text if _PLAIN.fullmatch(text) else "" for name, text in texts.items()}
    facts |= {"bits": str(int(data.BitsStored)), "shape": f"{shape[0]} x {shape[1]}"}
    for name in _SPACINGS:
        try:
            spacing = tuple(float(v) for v in data.get(name) or ())
        except (TypeError, ValueError):
            spacing = ()
        if len(spacing) == 2 and min(spacing) > 0:
            facts["spacing"] = f"{spacing[0]:g} x {spacing[1]:g} mm"
            break
    return {name: text for name, text in facts.items() if text or name == "modality"}, notes

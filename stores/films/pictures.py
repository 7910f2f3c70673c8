"""Pictures as films: PNG, JPEG, JPEG 2000, WebP, BMP and TIFF of 8 or 16 bits; they state neither modality nor range."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import SlideError
from ..foreign import foreign
from ..frame import Array, Box
from ..slides.file_head import head_of, kind_of
from ..slides.picture_reader import MAX_PICTURE_PIXELS, PICTURE_FORMATS, samples_of
from ..slides.pixels import check_one_image
from ..slides.tiff_reader import TiffPixels
from .film import Film, constant_notes
from .grey import grey_of
from .value_range import stated_range


def accepts(path: Path, head: bytes) -> bool:
    return kind_of(head) in (*PICTURE_FORMATS, "TIFF")


def count_picture(path: Path, part: str) -> int:
    return 1


def picture_films(path: Path, part: str, start: int, stop: int) -> Iterator[Film | SlideError]:
    """The film of a file, or its error."""
    for _ in range(start, stop):
        try:
            with foreign(partial(_unread, path)):
                film = _film(path, part)
            yield film
        except SlideError as error:
            yield error


def _unread(path: Path, why: str) -> SlideError:
    return SlideError(f"{path.name}: cannot be read as a picture ({why}). Copy it again.", "E_UNREADABLE")


def _film(path: Path, part: str) -> Film:
    is_tiff = kind_of(head_of(path)) == "TIFF"
    if not is_tiff:
        check_one_image(path, part)
    samples, notes, orientation = _tiff(path, part) if is_tiff else samples_of(path)
    plane, more = grey_of(path.name, samples)
    notes += more
    if orientation not in (0, 1):
        notes.append(f"the EXIF orientation says {orientation}; pixels are kept as they are stored")
    chosen = stated_range(0, float(plane.max()), plane.dtype)
    assert chosen is not None  # of 8 and 16 bits there always is one
    notes += [chosen.note] if chosen.note else []
    facts = {"modality": "", "bits": str(8 * plane.dtype.itemsize), "shape": f"{plane.shape[0]} x {plane.shape[1]}"}
    values = chosen.apply(plane)
    return Film(values, (*notes, *constant_notes(values)), facts)


def _tiff(path: Path, part: str) -> tuple[Array, list[str], int]:
    """(pixels (y, x, sample), notes, orientation) of the finest level of a TIFF; what it stores inverted is turned round."""
    pixels = TiffPixels(path, part)
    try:
        shape = pixels.described.shapes[0]
        if shape[0] * shape[1] > MAX_PICTURE_PIXELS:
            raise SlideError(
                f"{path.name}: {shape[0]} x {shape[1]} pixels are more than the {MAX_PICTURE_PIXELS} that a film may have.",
                "E_TOO_BIG",
            )
        whole = Box((0, 0), shape)
        return np.moveaxis(pixels.read(whole, 0), 0, -1), list(pixels.described.notes), 1
    finally:
        pixels.close()

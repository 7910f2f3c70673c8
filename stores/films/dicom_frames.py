"""DICOM frames: the pictures of a file as they are stored, one at a time, and what the header must state for that."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..foreign import foreign, kind_of_fault
from ..frame import Array
from ..slides.dicom_codecs import decoder
from ..slides.file_head import head_of
from ..slides.picture_reader import MAX_PICTURE_PIXELS
from ..volumes.dicom_limits import check_stored
from ..volumes.series import header

MAX_FRAMES = 2**16
_READ_BITS = (8, 16)


def film_header(path: Path, *, pixels: bool = False) -> Any:
    """The data set of a file with grey or colour pictures. Raises SlideError: E_DICOM, E_NOT_A_FILM, E_MALFORMED, E_TOO_BIG,
    E_UNSUPPORTED_PIXELS, E_MISSING."""
    if head_of(path).startswith(b"\x1f\x8b"):
        raise SlideError(f"{path.name}: is DICOM packed with gzip; unpack it.", "E_DICOM")
    data = header(path, pixels=pixels)
    if "Rows" not in data or "Columns" not in data:
        raise SlideError(f"{path.name}: is DICOM without a picture: no film. Leave it out.", "E_NOT_A_FILM")
    if "FloatPixelData" in data or "DoubleFloatPixelData" in data:
        raise SlideError(
            f"{path.name}: its pixels are floating-point numbers; grey values of 8 to 16 bits are read. Export it as grey.",
            "E_UNSUPPORTED_PIXELS",
        )
    try:
        rows, columns, count = int(data.Rows), int(data.Columns), frame_count(data)
        allocated, bits = int(data.BitsAllocated), int(data.BitsStored)
        samples = int(data.get("SamplesPerPixel", 1) or 1)
    except (AttributeError, TypeError, ValueError) as error:
        raise SlideError(
            f"{path.name}: states no size or no bits of its picture ({type(error).__name__}); it is damaged. Export it again.",
            "E_DICOM",
        ) from error
    if not 0 < count <= MAX_FRAMES or rows < 1 or columns < 1:
        raise SlideError(
            f"{path.name}: claims {count} pictures of {rows} x {columns}; its header is damaged. Copy it again.",
            "E_MALFORMED",
        )
    if rows * columns > MAX_PICTURE_PIXELS:
        raise SlideError(
            f"{path.name}: a picture of {rows} x {columns} is more than the {MAX_PICTURE_PIXELS} pixels that a film may have.",
            "E_TOO_BIG",
        )
    photometric = str(data.get("PhotometricInterpretation", "") or "")
    if not photometric:
        raise SlideError(
            f"{path.name}: states no photometric interpretation, so nothing says whether its low values are dark or bright. "
            "Export it again.",
            "E_DICOM",
        )
    if photometric == "PALETTE COLOR":
        raise SlideError(
            f"{path.name}: its pixels are numbers of colours (PALETTE COLOR); grey values of 8 to 16 bits are read. Export it "
            "as grey.",
            "E_UNSUPPORTED_PIXELS",
        )
    if allocated not in _READ_BITS or not 0 < bits <= allocated or samples not in (1, 3):
        raise SlideError(
            f"{path.name}: has {samples} values a pixel of {bits} bits in {allocated}; one of up to 16 bits in 8 or 16 "
            "is read. One bit is a mask, and 32 are doses or maps of numbers; neither is a film.",
            "E_UNSUPPORTED_PIXELS",
        )
    return data


def frame_count(data: Any) -> int:
    return int(data.get("NumberOfFrames", 1) or 1)


def stored_frames(path: Path, data: Any, start: int, stop: int) -> Iterator[Array | SlideError]:
    """Stored samples (y, x, sample) of frames [start, stop), or the error of those that cannot be decoded.

    The size that a packed frame states is checked before it is decoded, and no more than one frame is unpacked at a time.
    Raises SlideError for limits that the file breaks as a whole.
    """
    with foreign(lambda why: _undecoded(path, data, why)):
        check_stored(path, data)
    for number in range(start, stop):
        try:
            with foreign(lambda why: _undecoded(path, data, why)):
                samples = _frame(path, data, number)
            yield samples
        except TileError as error:
            yield SlideError(f"{path.name}: picture {number} is damaged: {error.message}. Export it again.", error.code)
        except SlideError as error:
            yield error


def _frame(path: Path, data: Any, number: int) -> Array:
    from pydicom.encaps import get_frame
    from pydicom.pixels.utils import pixel_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if data.file_meta.TransferSyntaxUID.is_encapsulated:
            packed = get_frame(data.PixelData, number, number_of_frames=frame_count(data))
            samples = decoder(data, path.name)(packed)
        else:
            samples = np.asarray(pixel_array(data, index=number, correct_unused_bits=False))
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.shape[:2] != (int(data.Rows), int(data.Columns)):
        raise SlideError(
            f"{path.name}: a picture of {samples.shape[:2]} where its header states {(int(data.Rows), int(data.Columns))}.",
            "E_DICOM",
        )
    return samples


def _undecoded(path: Path, data: Any, why: str) -> SlideError:
    syntax: Any = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    return SlideError(
        f"{path.name}: its pixels ({getattr(syntax, 'name', 'unknown transfer syntax')}) cannot be decoded "
        f"({kind_of_fault(why)}): they are damaged or cut short. Export it again, or write it without compression.",
        "E_DICOM",
    )

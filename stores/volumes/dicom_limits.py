"""DICOM limits: what the elements of a file may claim, checked before its pixels are unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import SlideError, TileError
from ..slides.stated_size import stated_size
from .voxels import MAX_VOLUME_BYTES

MAX_SMALL_BYTES = 2**28
"""Bytes of pixels that any file may claim."""
MAX_EXPANSION = 2**12
"""Beyond that, bytes of pixels that a packed byte may become."""


def check_pixels(file: Path, data: Any) -> None:
    """Raises SlideError: E_TRUNCATED for missing pixels, E_MALFORMED for pixels of more pictures than the header states,
    E_TOO_BIG for more pixels than are unpacked at once, E_BOMB for far more than packed bytes can hold, or where a packed
    picture is not of the size that the elements state."""
    check_stored(file, data)
    rows, columns, frames = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames", 1) or 1)
    nbytes = rows * columns * frames * int(data.get("SamplesPerPixel", 1) or 1) * -(-int(data.BitsAllocated) // 8)
    if nbytes > MAX_VOLUME_BYTES:
        raise SlideError(
            f"{file.name}: states {frames} pictures of {rows} x {columns}, {nbytes} bytes and more than the {MAX_VOLUME_BYTES} "
            "that are unpacked in one piece. Write it as several files.",
            "E_TOO_BIG",
        )
    syntax = _syntax(data)
    if syntax is None or not syntax.is_compressed or "PixelData" not in data:
        return
    packed = data.PixelData
    try:
        sizes = {stated_size(one) for one in _pictures(packed, frames)} - {None, (rows, columns)}
    except TileError as error:
        raise SlideError(
            f"{file.name}: a picture in it is damaged: {error.message}. Export it again.", error.code
        ) from error
    if sizes or nbytes > MAX_SMALL_BYTES + MAX_EXPANSION * len(packed):
        what = f"holds pictures of {sorted(map(str, sizes))}" if sizes else f"has {len(packed)} packed bytes"
        raise SlideError(
            f"{file.name}: {what} where its elements state {frames} of {rows} x {columns}: it is damaged, or a decompression "
            "bomb. Export it again.",
            "E_BOMB",
        )


def check_stored(file: Path, data: Any) -> None:
    """Raises SlideError: E_TRUNCATED for pixels that are missing, or too few; E_MALFORMED for those of more pictures than the
    header states."""
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise SlideError(f"{file.name}: its pixels are missing; it was cut short. Copy it again.", "E_TRUNCATED")
    syntax = _syntax(data)
    if syntax is not None and not syntax.is_compressed and "PixelData" in data:
        _check_length(file, data)


def _syntax(data: Any) -> Any:
    return getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)


def _check_length(file: Path, data: Any) -> None:
    one_bits = int(data.Rows) * int(data.Columns) * int(data.get("SamplesPerPixel", 1) or 1) * int(data.BitsAllocated)
    if str(data.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        one_bits = one_bits * 2 // 3  # two pixels share their colour
    stated = int(data.get("NumberOfFrames", 1) or 1) * one_bits // 8
    if len(data.PixelData) < stated:
        raise SlideError(
            f"{file.name}: has {len(data.PixelData)} bytes of pixels where its header states {stated}; it was cut short. "
            "Copy it again.",
            "E_TRUNCATED",
        )
    if (one := one_bits // 8) and len(data.PixelData) >= stated + one:
        raise SlideError(
            f"{file.name}: has pixels for {len(data.PixelData) // one} pictures where its header states {stated // one}: some "
            "of them would be left out without a place. Export it again.",
            "E_MALFORMED",
        )


def _pictures(packed: bytes, frames: int) -> Any:
    from pydicom.encaps import generate_frames

    return generate_frames(packed, number_of_frames=frames)

"""DICOM pixels: pictures of a series, decoded, with their Modality LUT applied and copies of slices left out."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from .dicom_limits import check_pixels
from .series import Slice, header


def decoded(path: Path, slices: Sequence[Slice], *, per_slice: bool) -> Array:
    """Cells (column, row, slice), of the type that holds the types of all slices; float32 if slices have different scales."""
    whole: Array | None = None
    places = sorted(range(len(slices)), key=lambda k: (str(slices[k].file), slices[k].frame))
    for file, numbers in groupby(places, key=lambda k: slices[k].file):
        frames = pictures(file)
        for k in numbers:
            one = slices[k]
            picture = _picture(file, frames, one).T
            if picture.shape != (one.columns, one.rows):
                raise SlideError(
                    f"{file.name}: a picture of {picture.shape} where its header states {one.columns} x {one.rows}.",
                    "E_DICOM",
                )
            if per_slice:
                picture = picture * np.float32(one.scale[0]) + np.float32(one.scale[1])
            if whole is None:
                whole = np.empty((one.columns, one.rows, len(slices)), picture.dtype, order="F")
            if (wider := np.result_type(whole.dtype, picture.dtype)) != whole.dtype:
                whole = whole.astype(wider)
            whole[:, :, k] = picture
    if whole is None:
        raise SlideError(f"{path.name}: holds no picture.", "E_NOT_A_VOLUME")
    return whole


def without_copies(slices: Sequence[Slice]) -> tuple[list[Slice], int]:
    """(slices, each once; number of exact copies): same position, direction, scale and pixels."""
    places: dict[Any, list[Slice]] = {}
    for one in slices:
        alike = replace(one, file=Path(), frame=0, series="", position=tuple(round(v, 3) for v in one.position))
        places.setdefault(alike, []).append(one)
    shared = [one for group in places.values() if len(group) > 1 for one in group]
    seen, copies = set(), set()
    for file, group in groupby(sorted(shared, key=lambda s: (str(s.file), s.frame)), key=lambda s: s.file):
        try:
            frames = pictures(file)
        except SlideError:
            continue  # whether it is a copy cannot be told
        for one in group:
            at = tuple(round(v, 3) for v in one.position)
            pixels = hashlib.sha256(_picture(file, frames, one).tobytes()).digest()
            if (at, one.orientation, one.scale, pixels) in seen:
                copies.add((one.file, one.frame))
            seen.add((at, one.orientation, one.scale, pixels))
    return [one for one in slices if (one.file, one.frame) not in copies], len(copies)


def _picture(file: Path, frames: Array, one: Slice) -> Array:
    if one.frame >= len(frames):
        raise SlideError(
            f"{file.name}: picture {one.frame} is missing; it was cut short. Copy it again.", "E_TRUNCATED"
        )
    return np.asarray(frames[one.frame])


def pictures(file: Path) -> Array:
    """All pictures of a file, (frame, row, column), their Modality LUT applied."""
    data = header(file, pixels=True)
    syntax: Any = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    try:
        check_pixels(file, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = np.asarray(data.pixel_array)
    except (SlideError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like, and what is missing comes as RuntimeError
        raise SlideError(
            f"{file.name}: its pixels ({getattr(syntax, 'name', 'unknown transfer syntax')}) cannot be decoded: either they "
            "are damaged, or no decoder of this kind is installed. `pip install pylibjpeg-libjpeg` adds JPEG, or write the "
            "files again without compression (gdcmconv --raw, dcmdjpeg).",
            "E_DICOM",
        ) from error
    frames = pixels if pixels.ndim == 3 else pixels[None]
    return _through_lut(file, frames, data) if data.get("ModalityLUTSequence") else frames


def _through_lut(file: Path, frames: Array, data: Any) -> Array:
    """Values that a Modality LUT gives to stored ones."""
    from pydicom.pixels.processing import apply_modality_lut

    try:
        return np.stack([np.asarray(apply_modality_lut(frame, data)) for frame in frames])
    except Exception as error:  # a table of the wrong length or type
        raise SlideError(
            f"{file.name}: its Modality LUT, which gives its values their meaning, cannot be applied "
            f"({type(error).__name__}). Export it again.",
            "E_DICOM",
        ) from error

"""DICOM reader: one series of a folder, or one file of many frames, decoded once and kept while it is open."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..slides.file_head import head_of
from .file_head import DICOM, content_of
from .series import Slice, header, mark_of, slices_of, stacked, uid_of
from .voxels import Voxels, affine_of, check_cells, decoded_bytes, in_memory


def accepts(path: Path, head: bytes) -> bool:
    return path.is_dir() or content_of(head) == DICOM


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder, sorted by name, without DICOMDIR."""
    found = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.name.startswith(".") and file.name.upper() != "DICOMDIR":
            try:
                if content_of(head_of(file)) == DICOM:
                    found.append(file)
            except SlideError:
                continue  # an empty or unreadable file is not part of a series
    return found


def open_dicom(path: Path, part: str) -> Voxels:
    """Open a series; `part` is its UID or `mark_of` it. Raises SlideError with a reason code."""
    files = _files(path, part)
    slices = [one for file in files for one in slices_of(file, header(file))]
    ordered, affine = stacked(path.name, slices)
    first = ordered[0]
    shape = (first.columns, first.rows, len(ordered))
    decoded_bytes(path, shape, np.dtype(np.float32))
    scales = {one.scale for one in ordered}
    if not all(np.isfinite(s).all() and s[0] for s in scales):
        raise SlideError(
            f"{path.name}: its rescale slopes are 0 or no numbers, so its values have no meaning. Export it again.",
            "E_DICOM",
        )
    cells = _decoded(path, ordered, per_slice=len(scales) > 1)
    check_cells(path, shape, cells.dtype)
    notes = ["its slices are scaled one by one"] if len(scales) > 1 else []
    scale = (1.0, 0.0) if len(scales) > 1 else next(iter(scales))
    return Voxels(
        "dicom", shape, cells.dtype, in_memory(cells), affine_of(affine), scale, notes=tuple(notes), kept=True
    )


def _files(path: Path, part: str) -> list[Path]:
    if not path.is_dir():
        if part and part not in (uid := uid_of(path), mark_of(uid)):
            raise SlideError(
                f"{path.name}: holds no series {part!r}. Leave the part out, or name the folder.", "E_NOT_A_VOLUME"
            )
        if head_of(path).startswith(b"\x1f\x8b"):
            raise SlideError(f"{path.name}: is DICOM packed with gzip; unpack it.", "E_DICOM")
        return [path]
    series: dict[str, list[Path]] = {}
    for file in dicom_files(path):
        series.setdefault(uid_of(file), []).append(file)
    if not series:
        raise SlideError(
            f"{path.name}: is a folder without DICOM files and no OME-Zarr image. Give one file, or the folder to --volumes.",
            "E_NOT_A_VOLUME",
        )
    chosen = [uid for uid in series if not part or part in (uid, mark_of(uid))]
    if len(chosen) != 1:
        names = ", ".join(f"{mark_of(uid)} ({len(files)} files)" for uid, files in list(series.items())[:12])
        raise SlideError(
            f"{path.name}: holds {len(series)} DICOM series, and {part or 'nothing'!r} names none or several of them. There "
            f"is: {names}. Name one in a column `part` of a CSV.",
            "E_NOT_A_VOLUME",
        )
    return series[chosen[0]]


def _decoded(path: Path, slices: Sequence[Slice], *, per_slice: bool) -> Array:
    """Cells (column, row, slice); float32 if slices have different scales."""
    whole: Array | None = None
    places = sorted(range(len(slices)), key=lambda k: (str(slices[k].file), slices[k].frame))
    for file, numbers in groupby(places, key=lambda k: slices[k].file):
        pictures = _pictures(file)
        for k in numbers:
            one = slices[k]
            if one.frame >= len(pictures):
                raise SlideError(
                    f"{file.name}: picture {one.frame} is missing; it was cut short. Copy it again.", "E_TRUNCATED"
                )
            picture = pictures[one.frame].T
            if picture.shape != (one.columns, one.rows):
                raise SlideError(
                    f"{file.name}: a picture of {picture.shape} where its header states {one.columns} x {one.rows}.",
                    "E_DICOM",
                )
            if per_slice:
                picture = picture * np.float32(one.scale[0]) + np.float32(one.scale[1])
            if whole is None:
                whole = np.empty((one.columns, one.rows, len(slices)), picture.dtype, order="F")
            whole[:, :, k] = picture.astype(np.result_type(whole.dtype, picture.dtype), copy=False)
    if whole is None:
        raise SlideError(f"{path.name}: holds no picture.", "E_NOT_A_VOLUME")
    return whole


def _pictures(file: Path) -> Array:
    """All pictures of a file, (frame, row, column)."""
    data = header(file, pixels=True)
    syntax: Any = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise SlideError(f"{file.name}: its pixels are missing; it was cut short. Copy it again.", "E_TRUNCATED")
    try:
        if syntax is not None and not syntax.is_compressed and "PixelData" in data:
            bits = (
                int(data.Rows) * int(data.Columns) * int(data.get("NumberOfFrames", 1) or 1) * int(data.BitsAllocated)
            )
            if len(data.PixelData) < bits // 8:
                raise SlideError(
                    f"{file.name}: has {len(data.PixelData)} bytes of pixels where its header states {bits // 8}; it was cut "
                    "short. Copy it again.",
                    "E_TRUNCATED",
                )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = np.asarray(data.pixel_array)
    except SlideError:
        raise
    except Exception as error:  # decoders raise whatever they like, and what is missing comes as RuntimeError
        raise SlideError(
            f"{file.name}: its pixels ({getattr(syntax, 'name', 'unknown transfer syntax')}) cannot be decoded: either they "
            "are damaged, or no decoder of this kind is installed. `pip install pylibjpeg-libjpeg` adds JPEG, or write the "
            "files again without compression (gdcmconv --raw, dcmdjpeg).",
            "E_DICOM",
        ) from error
    return pixels if pixels.ndim == 3 else pixels[None]

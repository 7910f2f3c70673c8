"""DICOM reader: one series of a folder, or one file of many frames, decoded once and kept while it is open."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..slides.file_head import head_of
from .dicom_pixels import decoded, without_copies
from .file_head import DICOM, content_of
from .series import Slice, header, mark_of, slices_of, uid_of
from .series_files import series_parts
from .stack import short_of, stacked
from .voxels import Voxels, affine_of, check_cells, decoded_bytes, in_memory


def accepts(path: Path, head: bytes) -> bool:
    return path.is_dir() or content_of(head) == DICOM


def dicom_files(folder: Path, *, below: bool = False) -> list[Path]:
    """The DICOM files of a folder, or of those below it too, sorted by name, without DICOMDIR."""
    found = []
    files = (Path(at, name) for at, _, names in os.walk(folder) for name in names) if below else folder.iterdir()
    for file in sorted(files):
        if file.is_file() and not file.name.startswith(".") and file.name.upper() != "DICOMDIR":
            try:
                if content_of(head_of(file)) == DICOM:
                    found.append(file)
            except SlideError:
                continue  # an empty or unreadable file is not part of a series
    return found


def open_dicom(path: Path, part: str) -> Voxels:
    """Open a series; `part` is its UID or `mark_of` it, and perhaps an echo: `echo=1`, `c47f5b18b8a4/echo=2`.

    Raises SlideError with a reason code.
    """
    series, echo = _parted(path, part)
    files, lost = _files(path, series)
    slices = [one for file in files for one in slices_of(file, header(file))]
    notes = [note] if (note := short_of(slices)) else []
    if lost:
        words = f"{', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}"
        notes.append(f"{len(lost)} files that are named as its slices hold no DICOM ({words}): slices may be missing")
    slices = _of_echo(path, slices, echo)
    slices, copies = without_copies(slices)
    if copies:
        notes.append(f"{copies} of its slices are exact copies of others and are left out")
    if len(files) > 1 and (len(series_marks := {one.series for one in slices}) > 1 or "" in series_marks):
        notes.append("its files have no series UID, or one of their own each; they are put together by their grid")
    ordered, affine = _on_one_grid(path, slices)
    first = ordered[0]
    shape = (first.columns, first.rows, len(ordered))
    decoded_bytes(path, shape, np.dtype(np.float32))
    scales = {one.scale for one in ordered}
    if not all(np.isfinite(s).all() and s[0] for s in scales):
        raise SlideError(
            f"{path.name}: its rescale slopes are 0 or no numbers, so its values have no meaning. Export it again.",
            "E_DICOM",
        )
    cells = decoded(path, ordered, per_slice=len(scales) > 1)
    check_cells(path, shape, cells.dtype)
    notes += ["its slices are scaled one by one"] if len(scales) > 1 else []
    notes += _said(ordered)
    scale = (1.0, 0.0) if len(scales) > 1 else next(iter(scales))
    return Voxels(
        "dicom", shape, cells.dtype, in_memory(cells), affine_of(affine), scale, notes=tuple(notes), kept=True
    )


def _unread(folder: Path, files: Sequence[Path], found: Sequence[Path]) -> list[str]:
    """Names of files that are named as the slices of a series are, and are not among the DICOM files that were `found`."""
    forms, known = {_form(file) for file in files}, set(found)
    others = (file for file in sorted(folder.iterdir()) if file not in known and not file.name.startswith("."))
    return [file.name for file in others if _form(file) in forms and file.is_file()]


def _form(file: Path) -> str:
    """A name without its numbers."""
    return re.sub(r"\d+", "#", file.name.casefold())


def _said(slices: Sequence[Slice]) -> list[str]:
    """Notes on what the pixels of a series mean."""
    notes = ["its Modality LUT is applied"] if any(one.lut for one in slices) else []
    if any(one.lut and one.is_rescaled for one in slices):
        notes.append("it has a rescale slope or intercept beside its Modality LUT, which is not used")
    kinds = {one.photometric for one in slices}
    if "MONOCHROME1" in kinds:
        notes.append("is MONOCHROME1, where low values are shown bright; its values are kept as they are")
    if "PALETTE COLOR" in kinds:
        notes.append("is PALETTE COLOR: its values are numbers of colours, not intensities")
    return notes


def _parted(path: Path, part: str) -> tuple[str, int]:
    """(series, number of the echo, 0 where none is named) of a part. Raises SlideError (E_NOT_A_VOLUME)."""
    series, _, echo = part.rpartition("/") if "echo=" in part else (part, "", "")
    if echo and not re.fullmatch(r"echo=[1-9]\d*", echo):
        raise SlideError(
            f"{path.name}: {part!r} names no echo; write echo=1, or the series and it, as c47f5b18b8a4/echo=1.",
            "E_NOT_A_VOLUME",
        )
    return series, int(echo.removeprefix("echo=") or 0)


def _of_echo(path: Path, slices: list[Slice], echo: int) -> list[Slice]:
    """The slices of an echo, counted from 1 by its time; all of them where none is named."""
    if not echo:
        return slices
    times = _echoes(slices)
    if echo > len(times):
        raise SlideError(f"{path.name}: has {len(times)} echoes, and no echo={echo}.", "E_NOT_A_VOLUME")
    return [one for one in slices if one.echo == times[echo - 1]]


def _echoes(slices: Sequence[Slice]) -> list[float]:
    return sorted({one.echo for one in slices if one.echo is not None})


def _on_one_grid(path: Path, slices: Sequence[Slice]) -> tuple[list[Slice], Array]:
    """`stacked`; where several echoes share positions, the error says how to name one."""
    times = _echoes(slices)
    if len(times) > 1 and len({tuple(round(v, 3) for v in one.position) for one in slices}) < len(slices):
        names = ", ".join(f"echo={n} ({time:g} ms)" for n, time in enumerate(times, 1))
        raise SlideError(
            f"{path.name}: holds {len(times)} echoes at the same positions in one series: {names}. Name one in a column `part` "
            "of a CSV: as echo=1, or behind its series, as c47f5b18b8a4/echo=1.",
            "E_GEOMETRY",
        )
    return stacked(path.name, slices)


def series_files(path: Path, part: str) -> list[Path]:
    """The files of a series. Raises SlideError (E_NOT_A_VOLUME)."""
    return _files(path, part)[0]


def _series_of(files: Sequence[Path]) -> dict[str, list[Path]]:
    uids: dict[str, list[Path]] = {}
    for file in files:
        uids.setdefault(uid_of(file), []).append(file)
    return series_parts(uids)


def _files(path: Path, part: str) -> tuple[list[Path], list[str]]:
    """(the files of a series, names of files in its folder that should be among them and hold no DICOM)."""
    if not path.is_dir():
        if part and part not in (uid := uid_of(path), mark_of(uid)):
            raise SlideError(
                f"{path.name}: holds no series {part!r}. Leave the part out, or name the folder.", "E_NOT_A_VOLUME"
            )
        if head_of(path).startswith(b"\x1f\x8b"):
            raise SlideError(f"{path.name}: is DICOM packed with gzip; unpack it.", "E_DICOM")
        return [path], []
    found = dicom_files(path)
    series = _series_of(found)
    if part and not any(part in (one, mark_of(one)) for one in series):  # its slices may lie in several folders below
        found = dicom_files(path, below=True)
        series = _series_of(found)
    if not series:
        raise SlideError(
            f"{path.name}: is a folder without DICOM files and no OME-Zarr image. Give one file, or the folder to --volumes.",
            "E_NOT_A_VOLUME",
        )
    chosen = [one for one in series if not part or one in (part, mark_of(part))]
    if len(chosen) != 1:
        names = ", ".join(f"{one} ({len(files)} files)" for one, files in list(series.items())[:12])
        raise SlideError(
            f"{path.name}: holds {len(series)} DICOM series, and {part or 'nothing'!r} names none or several of them. There "
            f"is: {names}. Name one in a column `part` of a CSV.",
            "E_NOT_A_VOLUME",
        )
    files = series[chosen[0]]
    return files, [name for folder in sorted({file.parent for file in files}) for name in _unread(folder, files, found)]

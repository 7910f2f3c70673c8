"""Volumes as a kind of input: files that are volumes, and files that form one: header and voxels, slices of a series."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ...errors import SlideError
from ..lists.sheet import LIST_SUFFIXES
from ..remote import ObjectPath
from ..slides.companions import partners
from ..slides.input_kind import why_no_input
from ..slides.walk import InputKind, Seen
from ..slides.zarr_levels import accepts as is_zarr
from . import npz_reader
from .dicom_reader import dicom_files
from .file_head import DICOM, VOLUME_CONTENTS, content_of, first_bytes
from .nifti_reader import header_of
from .series import uid_of
from .series_files import series_parts

VOLUME_SUFFIXES = frozenset({
    ".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz", ".mgh", ".mgz", ".nrrd", ".nhdr", ".npz", ".dcm", ".dicom",
    ".ima", ".head", ".mnc",
})  # fmt: skip
"""Suffixes of volumes: a file with one is always an entry, and is rejected with a reason if it holds no volume."""


def _content(file: Path) -> str:
    return content_of(first_bytes(file))


def _gather(files: Sequence[Path]) -> Iterator[Seen]:
    owned = {voxels.name: file.name for file in files for voxels in partners(file)}
    series: dict[str, list[Path]] = {}
    for file in files:
        if file.name in owned:
            yield Seen(file, f"is part of {owned[file.name]}")
        elif why := why_no_input(file, VOLUME_INPUT, VOLUME_CONTENTS, _content):
            yield Seen(file, why)
        elif (uid := _series(file)) is not None:
            series.setdefault(uid, []).append(file)
        else:
            yield from _expand(file)
    for part, slices in series_parts(series).items():
        yield Seen(slices[0]) if len(slices) == 1 else Seen(slices[0].parent, part=part)


def _series(file: Path) -> str | None:
    """UID of a file's DICOM series, empty where it has none; None for other files."""
    if isinstance(file, ObjectPath):
        return (uid_of(file) or None) if file.suffix.lower() in (".dcm", ".dicom", ".ima", "") else None
    try:
        return uid_of(file) if _content(file) == DICOM else None
    except SlideError:
        return None


def _expand(path: Path) -> Iterator[Seen]:
    """Entries of a path that the user named: all volumes of an npz file, all series of a folder, else the file itself."""
    if path.is_dir() and not is_zarr(path, b""):
        yield from _gather(dicom_files(path) or [path])
    elif path.name.lower().endswith(".npz"):
        try:
            found = [Seen(path, part=part, extra=extra) for part, extra in npz_reader.members(path)]
        except SlideError:
            found = []
        yield from found or [Seen(path)]  # a file without volumes is rejected by name, with its reason
    else:
        yield Seen(header_of(path))


def _closed(name: str, siblings: Collection[str], children: Collection[str]) -> str:
    return ""


VOLUME_INPUT = InputKind(
    word="volume",
    suffixes=VOLUME_SUFFIXES,
    gather=_gather,
    expand=_expand,
    closed=_closed,
    lists=LIST_SUFFIXES,
    roles=frozenset({"path", "subject", "site", "part"}),
)

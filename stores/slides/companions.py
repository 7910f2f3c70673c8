"""Companions: files that belong to another slide, so that a slide of several files is one entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from ..regular import open_regular, read_regular
from ..remote import ObjectPath
from .dicom_positions import text_of
from .file_head import kind_of

_MAX_TEXT_BYTES = 2**16
_SERIES = (0x0020, 0x000E)
_PAIRS = dict.fromkeys((".hdr", ".hdr.gz"), (".img", ".img.gz")) | {".nhdr": (".raw", ".raw.gz")}
_ETS = b"SIS\0"
_LISTS, _DICOM = (".vms", ".vmu"), (".dcm", ".dicom", "")


def companions(files: Iterable[Path]) -> Mapping[str, str]:
    """File name -> name of the file in the same folder that it belongs to."""
    files = sorted(files)
    names = {file.name.lower(): file.name for file in files}
    owned: dict[str, str] = {}
    for file in files:
        if file.suffix.lower() in _LISTS:
            for value in _values(file):
                name = names.get(value.lower())
                if name and name != file.name:
                    owned[name] = file.name
    first: dict[str, str] = {}
    for file in files:
        uid = series_of(file) if file.suffix.lower() in _DICOM else ""
        if uid and first.setdefault(uid, file.name) != file.name:
            owned[file.name] = first[uid]
    return owned


def parts(slide: Path) -> Iterator[tuple[Path, str, int]]:
    """(path, path relative to the slide's folder, bytes) of every file of a slide: the slide itself (all files of a
    folder), the folder of an MRXS file, the images that a VMS file lists, the other files of a DICOM series, the voxels of
    a header that lies in a file of its own."""
    if slide.suffix.lower() == ".mrxs":
        yield from _below(slide.with_suffix(""))
    elif slide.suffix.lower() == ".vsi" or (not isinstance(slide, ObjectPath) and stacks_of_vsi(slide)):
        yield from _below(vsi_folder(slide))
    elif pair := partners(slide):
        yield from ((path, path.name, path.stat().st_size) for path in pair)
    elif slide.suffix.lower() in _LISTS:
        beside = [path for path in slide.parent.iterdir() if path.suffix.lower() not in _DICOM]
        owned = companions(beside)
        named = (path for path in beside if owned.get(path.name) == slide.name and path.is_file())
        yield from ((path, path.name, path.stat().st_size) for path in named)
    elif slide.suffix.lower() in _DICOM and slide.is_file():
        yield from ((path, path.name, path.stat().st_size) for path in files_of_series(slide)[1:])
    if slide.is_file():
        yield slide, slide.name, slide.stat().st_size
    else:
        yield from _below(slide)


def vsi_folder(slide: Path) -> Path:
    """The folder in which the pixels of a VSI slide lie."""
    return slide.with_name(f"_{slide.stem}_")


def stacks_of_vsi(slide: Path) -> list[Path]:
    """The files with the pixels of a VSI slide; none for every other file."""
    found = []
    for file in sorted(vsi_folder(slide).glob("stack*/frame_t*.ets")):
        with file.open("rb") as handle:
            if handle.read(len(_ETS)) == _ETS:
                found.append(file)
    return found


def is_vsi(path: Path, head: bytes) -> bool:
    """Whether a file is the small TIFF of a VSI slide, which holds an overview: by the folder beside it, or by its name."""
    return kind_of(head) == "TIFF" and (path.suffix.lower() == ".vsi" or bool(stacks_of_vsi(path)))


def files_of_series(slide: Path) -> list[Path]:
    """A DICOM file, and the other files of its series in its folder."""
    uid = series_of(slide)
    beside = (file for file in sorted(slide.parent.iterdir()) if file.suffix.lower() in _DICOM and file != slide)
    return [slide, *(file for file in beside if uid and file.is_file() and series_of(file) == uid)]


def partners(file: Path) -> tuple[Path, ...]:
    """The voxels' file of a separate header (.hdr and .img, .nhdr and .raw); empty for other files."""
    name = file.name.lower()
    ends = next((pair for end, pair in _PAIRS.items() if name.endswith(end)), ())
    stem = file.name[: len(file.name) - len(".gz") if name.endswith(".gz") else None].rpartition(".")[0]
    named = (file.with_name(stem + (end if name == file.name else end.upper())) for end in ends)
    return tuple(path for path in named if path.is_file())[:1]


def _below(folder: Path) -> Iterator[tuple[Path, str, int]]:
    found: Iterator[tuple[Path, int]]
    if isinstance(folder, ObjectPath):
        # some tools leave an empty object for each folder, which cannot be found by name
        found = ((path, size) for path, size in folder.listing() if size or path.is_file())
    else:
        found = ((path, path.stat().st_size) for path in folder.rglob("*") if path.is_file())
    for path, size in found:
        yield path, f"{folder.name}/{path.relative_to(folder).as_posix()}", size


def series_of(file: Path) -> str:
    """Series UID of a DICOM file, from its first bytes; empty if there is none."""
    try:
        status = file.stat()
        return _series_of(file, status.st_size, status.st_mtime_ns)
    except OSError:
        return ""


@lru_cache(2**14)
def _series_of(file: Path, size: int, time: int) -> str:
    """`series_of` of a file of this size and time: each file of a folder asks for all of them. Raises OSError."""
    head = read_regular(file, _MAX_TEXT_BYTES)
    return text_of(head, _SERIES) if head[128:132] == b"DICM" else ""


def _values(file: Path) -> list[str]:
    """File names in the key = value lines of a small text file."""
    try:
        with open_regular(file) as handle:
            text = handle.read(_MAX_TEXT_BYTES).decode("latin-1")
    except OSError:
        return []
    pairs = (line.partition("=") for line in text.splitlines())
    return [Path(value.strip()).name for _, sign, value in pairs if sign and value.strip()]

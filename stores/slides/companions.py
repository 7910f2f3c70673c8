"""Companions: files that belong to another slide, so that a slide of several files is one entry."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..regular import open_regular
from ..remote import ObjectPath
from .file_head import kind_of

_MAX_TEXT_BYTES = 2**16
_SERIES, _PIXELS = (0x0020, 0x000E), (0x7FE0, 0x0000)
"""Tags of the series instance UID, and of the pixels, at which reading stops."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_OPEN_END = 0xFFFFFFFF
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
    elif slide.suffix.lower() == ".vsi":
        yield from _below(vsi_folder(slide))
    elif pair := partners(slide):
        yield from ((path, path.name, path.stat().st_size) for path in pair)
    elif slide.suffix.lower() in (*_LISTS, *_DICOM):
        beside = [path for path in slide.parent.iterdir() if path.suffix.lower() in (*_LISTS, *_DICOM, ".jpg", ".opt")]
        owned = companions(beside)
        yield from ((path, path.name, path.stat().st_size) for path in beside if owned.get(path.name) == slide.name)
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
        with open_regular(file) as handle:
            head = handle.read(_MAX_TEXT_BYTES)
    except OSError:
        return ""
    if head[128:132] != b"DICM":
        return ""
    return next((value for tag, value in _elements(head) if tag == _SERIES), "")


def _elements(head: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    """Top-level elements (tag, value as text) of explicit little endian DICOM, which all slides are written in."""
    at, depth = 132, 0
    while at + 8 <= len(head):
        tag, kind, length = struct.unpack_from("<HH2sH", head, at)[:2], head[at + 4 : at + 6], 0
        if tag >= _PIXELS and tag[0] != 0xFFFE:
            return
        if tag[0] == 0xFFFE:  # an item of a sequence, or the end of one
            length = struct.unpack_from("<I", head, at + 4)[0]
            at += 8
        elif kind in _LONG:
            length = struct.unpack_from("<I", head, at + 8)[0] if at + 12 <= len(head) else 0
            at += 12
        else:
            length = struct.unpack_from("<H", head, at + 6)[0]
            at += 8
        if tag in ((0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)):
            depth -= 1
        elif length == _OPEN_END:
            depth += 1
        else:
            if not depth:
                yield tag, head[at : at + length].rstrip(b"\0 ").decode("latin-1")
            at += length


def _values(file: Path) -> list[str]:
    """File names in the key = value lines of a small text file."""
    try:
        with open_regular(file) as handle:
            text = handle.read(_MAX_TEXT_BYTES).decode("latin-1")
    except OSError:
        return []
    pairs = (line.partition("=") for line in text.splitlines())
    return [Path(value.strip()).name for _, sign, value in pairs if sign and value.strip()]

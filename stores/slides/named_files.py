"""Named files: the files that a slide of several files names, which OpenSlide opens, each checked before it does.

A name may lead anywhere (`ImageFile=../../etc/passwd`), and what lies there may be a pipe that is waited for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import SlideError
from ..regular import open_regular
from ..remote import ObjectPath

MAX_INDEX_BYTES = 2**20
"""Bytes of Slidedat.ini or of a VMS file that are read; real ones have some kilobytes."""
_HAMAMATSU = (".vms", ".vmu")
_MIRAX_KEYS = ("INDEXFILE", "FILE_")
_HAMAMATSU_KEYS = ("ImageFile", "MacroImage", "MapFile", "OptimisationFile", "LabelImage")


def check_named_files(path: Path) -> None:
    """Raises SlideError (E_PATH) if a slide names a file outside its folder, or something that is no file is beside it where
    OpenSlide looks. A file that is missing is OpenSlide's to report."""
    if isinstance(path, ObjectPath):
        return
    suffix = path.suffix.lower()
    if suffix in _HAMAMATSU:
        for name in _values(path, _HAMAMATSU_KEYS):
            _check(path, path.parent, name)
    elif suffix == ".mrxs":
        folder = path.with_suffix("")
        if folder.is_symlink() and _real(folder).parent not in (_real(path.parent), _real(path).parent):
            raise SlideError(
                f"{path.name}: its folder {folder.name} is a link that leads elsewhere; refused.", "E_PATH"
            )
        if (folder / "Slidedat.ini").exists():
            _check(path, folder, "Slidedat.ini")
            for name in _values(folder / "Slidedat.ini", _MIRAX_KEYS):
                _check(path, folder, name)


def _values(file: Path, keys: tuple[str, ...]) -> Iterator[str]:
    """The file names in the key = value lines of a text file."""
    with open_regular(file) as opened:
        text = opened.read(MAX_INDEX_BYTES).decode("latin-1")
    for line in text.splitlines():
        key, sign, value = line.strip().lstrip("\xef\xbb\xbf").partition("=")
        if sign and key.strip().lower().startswith(tuple(k.lower() for k in keys)) and value.strip():
            yield value.strip()


def _check(slide: Path, folder: Path, name: str) -> None:
    if name.replace("\\", "/").strip("/") != name or "/" in name or name in (".", "..") or "\0" in name:
        raise SlideError(
            f"{slide.name}: names the file {name[:80]!r}, which does not lie beside it; it was not opened. Do not trust "
            "this slide.",
            "E_PATH",
        )
    file = folder / name
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if file.is_symlink() and not _real(file).is_relative_to(_real(folder)):
        raise SlideError(
            f"{slide.name}: {name} beside it is a link that leads out of the folder; it was not opened. Copy the file itself.",
            "E_PATH",
        )
    if not stat.S_ISREG(mode):
        raise SlideError(
            f"{slide.name}: {name} beside it is a pipe, a socket, a device or a folder, and would be read; it was not opened. "
            "Move it away.",
            "E_PATH",
        )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))

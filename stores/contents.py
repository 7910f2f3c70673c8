"""Contents: the files of a folder that is one image. Each is a regular file inside it; their state tells whether one changed.

A chunk may be a link: one that leads out of the folder would show another file as pixels, and a pipe would be waited for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import SlideError
from .remote import ObjectPath

STATED_FILES = 200_000
"""Files whose sizes and times are looked at; beyond them the times of their folders tell of new, renamed and removed files."""


def check_inside(root: Path) -> None:
    """Raises SlideError (E_PATH) for an entry that leads out of the folder or is no file. Nothing is opened."""
    if isinstance(root, ObjectPath):
        return
    real = Path(os.path.realpath(root))
    for entry in _entries(root):
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            if not target.is_relative_to(real):
                raise _refused(root, entry, "is a link that leads out of the folder")
            if target.exists() and not (target.is_file() or target.is_dir()):
                raise _refused(root, entry, "is a link to a pipe, a socket or a device")
        elif not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            raise _refused(root, entry, "is a pipe, a socket or a device")


def state_of(root: Path) -> str:
    """A text that changes with the name, size or time of a file below a folder; of an object store with its tags."""
    whole = hashlib.sha256()
    if isinstance(root, ObjectPath):
        for name, size, tag in sorted(root.tags()):
            whole.update(f"{name}/{size}-{tag}\n".encode())
        return whole.hexdigest()
    count = 0
    for entry in _entries(root):
        is_folder = entry.is_dir(follow_symlinks=False)
        count += not is_folder
        line = entry.name + "/"  # folders and their files come in order, so names need no paths
        if is_folder == (count > STATED_FILES):
            status = entry.stat(follow_symlinks=False)
            size = 0 if is_folder else status.st_size
            line += f"{size}-{status.st_mtime_ns}-{stat.S_IFMT(status.st_mode)}"
        whole.update(f"{line}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Every entry below a folder, in the order of their names; links to folders are not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)


def _refused(root: Path, entry: os.DirEntry[str], why: str) -> SlideError:
    name = Path(entry.path).relative_to(root).as_posix()
    return SlideError(f"{root.name}: {name} in it {why}; it was not opened. Do not trust this folder.", "E_PATH")

"""The folder of the cache: made here, marked as ours, and only what has a name of ours in it is ever removed.

```text
FOLDER/                               what the user named, or the system's temporary folder; other things may lie in it
    tile-engine-cache-<user>/         made here and marked: nothing outside it is ever written or removed
        CACHEDIR.TAG                  the mark; a folder of that name without it is refused
        room.lock                     locked while room is made
        <key>/                        the slide's file and what belongs to it: whole, or absent
        <key>.lock                    locked, shared, while somebody reads the copy; alone, while it is fetched or removed
        .<key>.<8 hex digits>.partial being fetched
        <16 hex digits>.look          what was seen of a slide when it was opened (written by `engine.opening`; never removed)
```
A key has 20 hex digits. To make room, names of just these forms are removed: a copy, what is being fetched, and their lock. All
else in the folder stays, and a symbolic link is never followed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO

from ..errors import SettingsError
from .files import partial_path, target_of

TAG_NAME = "CACHEDIR.TAG"
"""File that marks a folder as a cache of ours. Backup programs know it by its first line, and leave such folders out."""
TAG_TEXT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Copies of slides that tile-engine made, and removes.\n"
_LOCK = re.compile(r"([0-9a-f]{20})\.lock")


def own_folder(above: Path) -> Path:
    """The folder in `above` that is this user's alone; it appears with its mark in it, or not at all.

    Raises PermissionError where somebody else made it, FileExistsError where it holds other things.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    own = above / f"tile-engine-cache-{'user' if user is None else user}"
    if not _marked(own):
        new = partial_path(own)
        new.mkdir(mode=0o700)
        try:
            (new / TAG_NAME).write_bytes(TAG_TEXT)
            new.rename(own)  # takes the place of an empty folder, and of nothing else
        except OSError:
            (new / TAG_NAME).unlink(missing_ok=True)
            new.rmdir()
            if not os.path.lexists(own):
                raise  # else another process was first, or something else lies there: see below
    if user is not None and own.lstat().st_uid != user:
        raise PermissionError(1, "somebody else made it, and could change what is read from it", str(own))
    if not _marked(own):
        raise FileExistsError(17, f"it is no cache of tile-engine's, there is no {TAG_NAME} of ours in it", str(own))
    return own


def _marked(folder: Path) -> bool:
    """Whether a folder is one of ours: no link to one, and with our mark in it."""
    try:
        return not folder.is_symlink() and (folder / TAG_NAME).read_bytes() == TAG_TEXT
    except (FileNotFoundError, NotADirectoryError):
        return False


def locks(folder: Path) -> list[Path]:
    """The locks of copies, by the exact form of their names; no links."""
    return [
        path for path in folder.iterdir() if _LOCK.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]


def half_fetched(folder: Path, key: str) -> list[Path]:
    """What fetches of a slide have left unfinished, or are at."""
    return [path for path in folder.glob(f".{key}.*") if target_of(path.name) == key]


def open_lock(path: Path) -> IO[bytes]:
    """A lock, made where there is none. Raises SettingsError where a link of that name leads elsewhere: what it leads to
    would be written over."""
    try:
        return open(path, "a+b", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        if not path.is_symlink():
            raise
        raise SettingsError(
            f"{path} is a symbolic link, and a lock of the cache has this name: what the link leads to would be written over. "
            "Remove the link, or name another folder with --cache-dir.",
            "E_CACHE",
        ) from error


def flock(file: IO[bytes], how: str) -> bool:
    import fcntl

    modes = {"shared": fcntl.LOCK_SH, "alone": fcntl.LOCK_EX, "none": fcntl.LOCK_UN}
    try:
        fcntl.flock(file, modes.get(how, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True

"""The folder of the cache: created and marked by tile-engine; only files of its own exact names are ever removed.

```text
FOLDER/                               named by the user, or the system's temporary folder; may hold other files
    tile-engine-cache-<user>/         created and marked: nothing outside it is ever written or removed
        CACHEDIR.TAG                  the mark; a folder of this name without it is refused
        room.lock                     locked while room is made
        <key>/                        the slide and its companion files: whole, or absent
        <key>.lock                    shared lock while a process reads the copy; exclusive while it is fetched or removed
        .<key>.<8 hex digits>.partial being fetched
        <16 hex digits>.look          description of an opened slide (written by engine/images/opening.py; never removed)
```
A key has 20 hex digits. To make room, only names of these forms are removed: a copy, a partial copy, and their lock. All
other files stay, and symbolic links are never followed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO

from ..errors import SettingsError
from .files import partial_path, target_of

TAG_NAME = "CACHEDIR.TAG"
"""File that marks a folder as our cache. Backup programs recognise its first line and skip such folders."""
TAG_TEXT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Copies of slides that tile-engine made, and removes.\n"
_LOCK = re.compile(r"([0-9a-f]{20})\.lock")


def own_folder(above: Path) -> Path:
    """The cache folder of this user in `above`; it is created with its mark, atomically.

    Raises PermissionError if another user created it, FileExistsError if it has no mark of ours.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = above / f"tile-engine-cache-{'user' if user is None else user}"
    if not _marked(folder):
        draft = partial_path(folder)
        draft.mkdir(mode=0o700)
        try:
            (draft / TAG_NAME).write_bytes(TAG_TEXT)
            draft.rename(folder)  # replaces an empty folder, and nothing else
        except OSError:
            (draft / TAG_NAME).unlink(missing_ok=True)
            draft.rmdir()
            if not os.path.lexists(folder):
                raise  # else another process was first, or other files lie there: checked below
    if user is not None and folder.lstat().st_uid != user:
        raise PermissionError(1, "another user made the folder, and could change the copies in it", str(folder))
    if not _marked(folder):
        raise FileExistsError(
            17, f"the folder is no cache of tile-engine's: it has no {TAG_NAME} that tile-engine wrote", str(folder)
        )
    return folder


def _marked(folder: Path) -> bool:
    """Whether a folder holds our mark and is not a symbolic link."""
    try:
        return not folder.is_symlink() and (folder / TAG_NAME).read_bytes() == TAG_TEXT
    except (FileNotFoundError, NotADirectoryError):
        return False


def locks(folder: Path) -> list[Path]:
    """Lock files of copies, found by the exact form of their names; links are left out."""
    return [
        path for path in folder.iterdir() if _LOCK.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]


def half_fetched(folder: Path, key: str) -> list[Path]:
    """Partial copies of a slide, abandoned or in progress."""
    return [path for path in folder.glob(f".{key}.*") if target_of(path.name) == key]


def open_lock(path: Path) -> IO[bytes]:
    """Open a lock file, or create it. Raises SettingsError (E_CACHE) for a symbolic link, whose target would be overwritten."""
    try:
        return open(path, "a+b", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        if not path.is_symlink():
            raise
        raise SettingsError(
            f"{path} is a symbolic link, and the cache would write a lock there: the link's target would be overwritten. "
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

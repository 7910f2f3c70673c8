"""Regular files: the one way in which files that a stranger may have placed are opened.

Opening a named pipe waits for a writer for ever, and opening a device can act on it, so neither is opened at all.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from .remote import ObjectPath


class NotAFileError(OSError):
    """A pipe, a socket or a device where a file is expected."""


def is_regular(path: Path) -> bool:
    """Whether a path is a regular file, or a link to one; an object always is. Raises FileNotFoundError."""
    return isinstance(path, ObjectPath) or stat.S_ISREG(path.stat().st_mode)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading bytes. Raises NotAFileError for a pipe, a socket or a device, OSError as `open` does."""
    if isinstance(path, ObjectPath):
        return cast(BinaryIO, path.open("rb"))
    # a pipe may take the file's place between look and opening: without O_NONBLOCK, its opening would wait
    if not is_regular(path):
        raise NotAFileError(errno.EINVAL, "it is no regular file", str(path))
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotAFileError(errno.EINVAL, "it is no regular file", str(path))
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def read_whole(path: Path, most: int) -> bytes:
    """All bytes of a file. Raises ValueError for one that has more than `most`, and else as `read_regular`."""
    data = read_regular(path, most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than the {most:,} bytes that are read at once")
    return data


def read_regular(path: Path, most: int = -1) -> bytes:
    """The first `most` bytes of a file; all of them by default. Raises NotAFileError, and OSError as `open` does."""
    if isinstance(path, ObjectPath) and most < 0:
        return path.read_bytes()
    with open_regular(path) as file:
        return file.read(most)

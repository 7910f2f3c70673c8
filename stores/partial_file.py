"""PartialFile: a file that is written part by part, since it does not fit into memory, and appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

from ..errors import UnfinishedError
from .array import Written
from .files import DISK_FULL_ERRNOS, partial_path


class PartialFile:
    """`with PartialFile(path) as file:` write parts, then `close` and `commit`; without a commit nothing stays.

    Raises UnfinishedError (E_DISK_FULL) when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = partial_path(path)
        self._size = self._crc32 = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> PartialFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # of a full disk, which `write` has told
            if self._file is not None:
                self._file.close()
        self._partial.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Append some bytes."""
        assert self._file is not None, "a file is written inside its `with` block"
        try:
            self._file.write(data)
        except OSError as error:
            raise self._named(error) from error
        self._size += len(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        return len(data)

    def close(self) -> Written:
        """End the file; returns its size and checksum under its final name, which it gets with `commit`."""
        assert self._file is not None, "a file is closed inside its `with` block"
        try:
            self._file.flush()
            os.fsync(self._file.fileno())  # its receipt is durable, too
            self._file.close()
        except OSError as error:
            raise self._named(error) from error
        return Written(self.path, self._size, self._crc32)

    def commit(self) -> None:
        """Give the file its name."""
        self._partial.replace(self.path)

    def _named(self, error: OSError) -> Exception:
        if error.errno not in DISK_FULL_ERRNOS:
            error.filename = error.filename or str(self.path)
            return error
        return UnfinishedError(
            f"no room left for {self.path} ({self._size} bytes were written): {error.strerror}. Files that were finished are "
            "safe; free some space and run the same command again.",
            "E_DISK_FULL",
        )


def crc32_of(path: Path, *, flush: bool = False) -> int:
    """crc32 of a file of any size, as `stores.files.crc32` computes it from bytes; `flush` brings it to the disk before."""
    found = 0
    with path.open("rb") as file:
        if flush:
            os.fsync(file.fileno())
        while data := file.read(1 << 20):
            found = zlib.crc32(data, found)
    return found

"""Files that are whole or absent: written under a temporary name in the same folder, then renamed.

Objects of a store are written whole by the store. This file holds the differences between disks and object stores. Tables
are folders: see tables.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CorruptError, UnfinishedError
from .regular import NotAFileError, read_regular
from .remote import ObjectPath

T = TypeVar("T")

MOST_PARTS = 1024
"""Parts that the kernel takes in one call (IOV_MAX)."""
PARTIAL_SUFFIX = ".partial"
"""Suffix of a file that is being written; a killed process leaves such a file, and the next run removes it (see sweep.py)."""
_PARTIAL_NAME = re.compile(rf"\.(.+)\.[0-9a-f]{{8}}\{PARTIAL_SUFFIX}", re.DOTALL)


def partial_path(path: Path) -> Path:
    """Temporary path of a file while it is written: in the same folder, with a unique name.

    >>> target_of(partial_path(Path("results/run.json")).name), target_of(".run.json.1234.partial")
    ('run.json', '')
    """
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}")


def target_of(name: str) -> str:
    """The final name of a file with this temporary name; empty for a name that `partial_path` never gives."""
    found = _PARTIAL_NAME.fullmatch(name)
    return found[1] if found else ""


def write_whole(path: Path, *parts: bytes, durable: bool = False) -> int:
    """Write bytes atomically; returns their number. `durable` flushes them to the disk, against power cuts.

    Raises UnfinishedError (E_DISK_FULL, exit 75) when the disk is full; no partial file stays.
    """
    if isinstance(path, ObjectPath):
        return path.write_bytes(b"".join(parts))
    return patiently(lambda: _write_partial(path, parts, durable))


def _write_partial(path: Path, parts: Sequence[bytes], durable: bool) -> int:
    size = sum(map(len, parts))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = partial_path(path)
    try:
        with unfinished.open("wb", buffering=0) as file:
            _write_all(file.fileno(), parts)
            if durable:
                os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if error.errno in DISK_FULL_ERRNOS:
            raise UnfinishedError(
                f"no room left for {path} ({size} bytes): {error.strerror}. What was written is safe; "
                "free some space and run the same command again.",
                "E_DISK_FULL",
            ) from error
        error.filename = error.filename or str(
            path
        )  # what fails while it writes names no file, and whoever reads it asks
        raise
    return size


def _write_all(file: int, parts: Sequence[bytes]) -> None:
    """Write all parts, up to `MOST_PARTS` in one call: for each alone threads would wait for each other twice."""
    for first in range(0, len(parts), MOST_PARTS):
        some = parts[first : first + MOST_PARTS]
        count = os.writev(file, some)
        if count < sum(map(len, some)):  # a disk that is nearly full takes a part; the rest says why
            rest = memoryview(b"".join(some))[count:]
            while rest:
                rest = rest[os.write(file, rest) :]


def patiently(act: Callable[[], T]) -> T:
    """The result of `act`, repeated if a network disk reports a stale handle: the file itself is still there."""
    for pause in STALE_PAUSE_SECONDS:
        try:
            return act()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            time.sleep(pause)
    return act()


def write_durably(path: Path, data: bytes) -> int:
    """`write_whole`, flushed to the disk."""
    return write_whole(path, data, durable=True)


def write_json(path: Path, value: Any) -> int:
    """Write a value as JSON, atomically. Equal values give equal bytes: keys keep their order, floats their shortest form."""
    return write_durably(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises CorruptError for what `write_json` never writes, FileNotFoundError for no file."""
    if not isinstance(path, ObjectPath) and (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise CorruptError(f"{path} has {size} bytes; no document of tile-engine has more than {MAX_JSON_BYTES}.")
    try:
        return json.loads(patiently(lambda: read_regular(path)), parse_constant=_no_number)
    except NotAFileError as error:
        raise CorruptError(f"{path} is not what was written there: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        # no JSON, no UTF-8, NaN, a number of 5000 digits, or nested without end
        raise CorruptError(f"{path} is not the JSON that was written there ({error}).") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise CorruptError(f"{path} is not the file that was written there ({error.strerror}).") from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def checksum(data: bytes | memoryview) -> int:
    """crc32c of some bytes, as zarr stores it behind each chunk."""
    import google_crc32c

    return int(google_crc32c.value(bytes(data) if isinstance(data, memoryview) else data))


def crc32(*parts: bytes) -> int:
    """crc32 of a whole file, for receipts. Not crc32c: the chunks of a shard end with their own crc32c, and then the crc32c of
    the file is the same for all contents."""
    import imagecodecs

    value = 0
    for part in parts:
        value = int(imagecodecs.deflate_crc32(part, value))
    return value


@contextmanager
def ranges(path: Path, *, whole: bool = False) -> Iterator[tuple[Callable[[int, int], bytes], int]]:
    """(read(length, offset), size in bytes) of a file that is read in parts. `whole` fetches an object in one request.

    Raises FileNotFoundError, and CorruptError for a link or a pipe.
    """
    if isinstance(path, ObjectPath):
        if whole:
            data = path.read_bytes()
            yield lambda length, offset: data[offset : offset + length], len(data)
        else:
            yield path.read_range, path.stat().st_size
        return
    try:  # a shard is never a link, and opening a pipe would wait
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise CorruptError(f"{path} is not what was written there: it is a link or no file.") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise CorruptError(f"{path} is not what was written there: it is no regular file.")
        yield lambda length, offset: os.pread(fd, length, offset), os.fstat(fd).st_size
    finally:
        os.close(fd)


def bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder and its subfolders; 0 for a missing folder."""
    if isinstance(folder, ObjectPath):
        return sum(size for _, size in folder.listing())
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def free_bytes(folder: Path) -> float:
    """Free bytes of the folder's disk; infinite for an object store."""
    return float("inf") if isinstance(folder, ObjectPath) else shutil.disk_usage(folder).free


MAX_JSON_BYTES = 2**30
"""Bytes of a document, at most; that of 100,000 slides has an eighth."""
STALE_PAUSE_SECONDS = (0.1, 1.0, 5.0)
"""Pauses before a file with a stale handle is opened again."""
DISK_FULL_ERRNOS = {28, 122}  # ENOSPC, EDQUOT

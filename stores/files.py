"""Files that are either whole or absent: written aside in the same folder, then renamed; objects of a store are so by
themselves. What differs between a disk and an object store stands here once. Tables are folders: see tables.py."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CorruptError, UnfinishedError
from .remote import ObjectPath

T = TypeVar("T")

PARTIAL_SUFFIX = ".partial"
"""Suffix of a file that is being written; a killed process leaves one behind, and the next run sweeps it (see sweep.py)."""
_PARTIAL_NAME = re.compile(rf"\.(.+)\.[0-9a-f]{{8}}\{PARTIAL_SUFFIX}", re.DOTALL)


def partial_path(path: Path) -> Path:
    """Where a file is written before it gets its name: beside it, under a name that nobody else gives.

    >>> target_of(partial_path(Path("results/run.json")).name), target_of(".run.json.1234.partial")
    ('run.json', '')
    """
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}")


def target_of(name: str) -> str:
    """The name that a file of this name, being written, is to get; empty where it is none that `aside` gives."""
    found = _PARTIAL_NAME.fullmatch(name)
    return found[1] if found else ""


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> int:
    """Write `data` so that no reader ever sees half of it; returns its size in bytes. `durable`: not even after a power cut.

    Raises UnfinishedError (exit 75) when the disk is full: nothing half-written stays.
    """
    if isinstance(path, ObjectPath):
        return path.write_bytes(data)
    return patiently(lambda: _write_partial(path, data, durable))


def _write_partial(path: Path, data: bytes, durable: bool) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = partial_path(path)
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if error.errno in DISK_FULL_ERRNOS:
            raise UnfinishedError(
                f"no room left for {path} ({len(data)} bytes): {error.strerror}. What was written is safe; "
                "free some space and run the same command again.",
                "E_DISK_FULL",
            ) from error
        error.filename = error.filename or str(
            path
        )  # what fails while it writes names no file, and whoever reads it asks
        raise
    return len(data)


def patiently(act: Callable[[], T]) -> T:
    """What `act` returns; it is done again where a network disk calls a handle stale: by its name the file is there still."""
    for pause in STALE_PAUSE_SECONDS:
        try:
            return act()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            time.sleep(pause)
    return act()


def write_durably(path: Path, data: bytes) -> int:
    """The same, not even half after a power cut."""
    return write_whole(path, data, durable=True)


def write_json(path: Path, value: Any) -> int:
    """The same value always gives the same bytes: keys keep their order, floats their shortest exact form."""
    return write_durably(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises CorruptError, with the file's name, where the text is no JSON."""
    try:
        return json.loads(patiently(path.read_bytes))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptError(f"{path} is not the JSON that was written there ({error}).") from error


def checksum(data: bytes | memoryview) -> int:
    """crc32c of some bytes, as zarr stores it behind each chunk."""
    import google_crc32c

    return int(google_crc32c.value(bytes(data) if isinstance(data, memoryview) else data))


def crc32(data: bytes) -> int:
    """Of a whole file, for receipts. Not crc32c: each chunk of a shard ends with its own, which makes that of the whole the
    same for all contents."""
    import imagecodecs

    return int(imagecodecs.deflate_crc32(data))


@contextmanager
def ranges(path: Path, *, whole: bool = False) -> Iterator[tuple[Callable[[int, int], bytes], int]]:
    """(read(length, offset), size) of a file that is read piece by piece. An object is fetched in one request where most
    of it will be wanted: `whole`. Raises FileNotFoundError."""
    if isinstance(path, ObjectPath):
        if whole:
            data = path.read_bytes()
            yield lambda length, offset: data[offset : offset + length], len(data)
        else:
            yield path.read_range, path.stat().st_size
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        yield lambda length, offset: os.pread(fd, length, offset), os.fstat(fd).st_size
    finally:
        os.close(fd)


def bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder and below; 0 where there is none."""
    if isinstance(folder, ObjectPath):
        return sum(size for _, size in folder.listing())
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def free_bytes(folder: Path) -> float:
    """Room that is left there; an object store has no end."""
    return float("inf") if isinstance(folder, ObjectPath) else shutil.disk_usage(folder).free


STALE_PAUSE_SECONDS = (0.1, 1.0, 5.0)
"""Seconds before a stale handle is opened anew."""
DISK_FULL_ERRNOS = {28, 122}  # ENOSPC, EDQUOT

"""Packed arrays: the arrays of an npz file, their headers read first, each unpacked once a process and shared.

Pickled objects are never opened.
"""

from __future__ import annotations

import math
import threading
import zipfile
from collections import OrderedDict
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SlideError
from .foreign import foreign
from .frame import Array
from .regular import open_regular

MAX_UNPACKED_BYTES = 2**32
"""Bytes of unpacked arrays that a process keeps; the least recently used array is dropped first."""
_lock = threading.Lock()
_kept: OrderedDict[tuple[str, int, int, str], Array] = OrderedDict()


def array_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array, from its first bytes."""
    headers = {}
    with unpacking(path), open_regular(path) as container, zipfile.ZipFile(container) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as file:
                    shape, dtype, _ = npy_header(file)
                stated = math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize)
                if stated > info.file_size or min(shape, default=0) < 0:
                    raise ValueError(f"{info.filename} states the shape {shape} in {info.file_size} bytes")
                headers[info.filename[: -len(".npy")]] = shape, dtype
    return headers


def npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """(shape, type, whether the first axis is the fastest)."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, dtype, fortran


def kept_array(path: Path, name: str, limit: int) -> Array:
    """An array of the file, unpacked once. Raises SlideError: E_BOMB, E_UNSUPPORTED_PIXELS, E_TRUNCATED."""
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns, name)
    with _lock:
        if key not in _kept:
            array = _unpacked(path, name, limit)
            while _kept and sum(a.nbytes for a in _kept.values()) + array.nbytes > MAX_UNPACKED_BYTES:
                _kept.popitem(last=False)
            _kept[key] = array
        _kept.move_to_end(key)
        return _kept[key]


def _unpacked(path: Path, name: str, limit: int) -> Array:
    with unpacking(path), open_regular(path) as container, zipfile.ZipFile(container) as archive:
        with archive.open(f"{name}.npy") as member:
            file: Any = member
            shape, dtype, fortran = npy_header(file)
            if dtype.hasobject:
                raise SlideError(
                    f"{path.name}: {name} holds pickled objects, which could run code when opened; refused. Save it as "
                    "plain numbers.",
                    "E_UNSUPPORTED_PIXELS",
                )
            nbytes = math.prod(shape) * dtype.itemsize
            if nbytes > limit:
                raise SlideError(
                    f"{path.name}: {name} claims {nbytes} bytes, more than the {limit} that are unpacked in one piece; a "
                    "small file may also be a decompression bomb. Split it.",
                    "E_BOMB",
                )
            data = bytearray(nbytes)
            view, offset = memoryview(data), 0
            while offset < nbytes and (count := file.readinto(view[offset : offset + 2**24])):
                offset += count
            if offset < nbytes or file.read(1):
                raise ValueError(f"{name} claims {nbytes} bytes and has {'fewer' if offset < nbytes else 'more'}")
        array = np.frombuffer(data, dtype)
        return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)


def unpacking(path: Path) -> AbstractContextManager[None]:
    """Context in which an archive is taken apart: whatever is wrong in it is a SlideError (E_TRUNCATED)."""
    text = f"{path.name}: cannot be unpacked to its end"
    return foreign(
        lambda why: SlideError(f"{text} ({why}); it was cut short or damaged. Copy it again.", "E_TRUNCATED")
    )

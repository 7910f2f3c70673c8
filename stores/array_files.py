"""Array files: npy and npz files of tile-engine's own, read such that a file takes no more memory than it has bytes."""

from __future__ import annotations

import io
import math
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from ..errors import CorruptError
from .foreign import foreign
from .frame import Array
from .regular import read_regular
from .remote import ObjectPath


def as_written(path: Path) -> AbstractContextManager[None]:
    """Context in which a file of ours is taken apart: whatever is wrong in it is a CorruptError that names the file."""
    return foreign(lambda why: CorruptError(f"{path} is not what was written there ({why})."))


def npy_bytes(values: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def read_npy(path: Path) -> Array:
    """An array, mapped into memory where it lies on a disk. Raises CorruptError, FileNotFoundError."""
    with as_written(path):
        try:
            if isinstance(path, ObjectPath):
                return np.asarray(np.load(io.BytesIO(read_regular(path)), allow_pickle=False))
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError as error:
            missing = error
    raise missing


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of an archive, none of them packed. Raises CorruptError."""
    with as_written(path):
        data = io.BytesIO(read_regular(path))
        _check_members(data)
        with np.load(data, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}


def _check_members(data: io.BytesIO) -> None:
    """Raise ValueError for packed arrays, which are never written, and for arrays that state more bytes than they have."""
    with zipfile.ZipFile(data) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > info.compress_size:
                raise ValueError(f"{info.filename} is packed")
            with archive.open(info) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            if math.prod(shape) * dtype.itemsize > info.file_size:
                raise ValueError(f"{info.filename} states the shape {shape} in {info.file_size} bytes")
    data.seek(0)

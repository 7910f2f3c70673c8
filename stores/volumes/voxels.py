"""Voxels: the result of a volume reader, in the file's order of axes, before it is turned to canonical orientation."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import SlideError
from ..frame import Array, Frame
from ..placement import Affine
from .orient import directions

MAX_VOLUME_BYTES = 2**32
"""Bytes of a volume that is decoded as a whole and kept; larger ones need plain files or chunked stores."""
MAX_VOLUME_SIDE = 2**16
VOXEL_DTYPES = frozenset({"u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
"""Data types of voxels that are read, as numpy names."""


@dataclass(frozen=True, slots=True)
class Voxels:
    """An open volume: access to its cells, and their positions."""

    reader: str
    """Name of the reader: "nifti", "mgh", "nrrd", "dicom", "npz" or "ome-zarr"."""
    shape: tuple[int, ...]
    """Cells (i, j, k) of the finest level."""
    stored: np.dtype[Any]
    cells: Callable[[int, tuple[slice, ...]], Array]
    """(level, slices along i, j, k) -> (channel, i, j, k), as stored."""
    affine: Affine
    scale: tuple[float, float] = (1.0, 0.0)
    """(slope, intercept) from stored to true values."""
    channels: int = 1
    frames: tuple[Frame, ...] = ()
    """Frames of all levels, for formats that state them and have i = x, j = y, k = z: OME-Zarr."""
    notes: tuple[str, ...] = ()
    """Remarks on unusual properties of the file."""
    labels: str = ""
    """Why its numbers name regions, where the file says so; empty where it does not."""
    absent: Callable[[tuple[slice, ...]], Iterable[tuple[slice, ...]]] = lambda at: ()
    """Slices i, j, k of the finest level -> the parts of them that the file does not hold."""
    kept: bool = False
    """Whether all cells are in memory, so that reading each of them is cheap."""

    @property
    def text(self) -> str:
        """Shape, directions of the axes, type, and slope and intercept of values that are scaled, for display."""
        towards = ", ".join(directions(self.affine))
        slope, intercept = self.scale
        scaled = "" if self.scale == (1.0, 0.0) else f", values are {slope:g} * stored + {intercept:g}"
        return f"{' x '.join(map(str, self.shape))} (i, j, k; to {towards}) of {self.stored.name}{scaled}"


def in_memory(array: Array) -> Callable[[int, tuple[slice, ...]], Array]:
    """`cells` of an array (i, j, k), or of a memory map."""

    def cells(level: int, at: tuple[slice, ...]) -> Array:
        return np.asarray(array[at])[None]

    return cells


def affine_of(matrix: Any) -> Affine:
    return tuple(tuple(float(value) for value in row) for row in np.asarray(matrix, np.float64))


def check_cells(path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """Check type and shape of a volume. Raises SlideError: E_MALFORMED, E_UNSUPPORTED_PIXELS."""
    if dtype.names or dtype.kind == "c" or dtype.str[1:] not in VOXEL_DTYPES:
        what = "colours" if dtype.names else "complex numbers" if dtype.kind == "c" else f"type {dtype.name}"
        raise SlideError(
            f"{path.name}: its voxels are {what}; one real number of 1 to 8 bytes each is read. Write the channel or the "
            "magnitude that is meant as a file of its own.",
            "E_UNSUPPORTED_PIXELS",
        )
    if any(not 0 < n <= MAX_VOLUME_SIDE for n in shape):
        raise SlideError(
            f"{path.name}: claims {' x '.join(map(str, shape))} cells; 1 to {MAX_VOLUME_SIDE} along each axis are accepted. "
            "Its header is damaged; copy it again.",
            "E_MALFORMED",
        )


def time_index(path: Path, times: int, part: str) -> int:
    """Index of the time point in `part` ("t=3") among `times`. Raises SlideError (E_TIME)."""
    match = re.fullmatch(r"t=(\d+)", part)
    if part and not match:
        raise SlideError(f"{path.name}: has no part {part!r}; a part of such a file is a time point, as t=0.", "E_TIME")
    if times == 1:
        return 0
    if not match:
        raise SlideError(
            f"{path.name}: has {times} time points, and nothing says which one is meant. Name one with --t 0 to "
            f"--t {times - 1}, or in a column `part` of a CSV as t=0.",
            "E_TIME",
        )
    t = int(match[1])
    if t >= times:
        raise SlideError(f"{path.name}: has {times} time points, 0 to {times - 1}; there is no {t}.", "E_TIME")
    return t


def spatial_shape(path: Path, shape: Sequence[int], part: str) -> tuple[tuple[int, ...], int]:
    """((i, j, k), index of the time point) of an array with three axes, or four with time. Raises SlideError."""
    if len(shape) < 3 or any(n != 1 for n in shape[4:]):
        what = "a picture or a surface" if len(shape) < 3 else "a field of vectors, a matrix or a series of series"
        raise SlideError(
            f"{path.name}: has {len(shape)} axes of {' x '.join(map(str, shape))} cells: {what}, not a volume. Three "
            "axes are read, or four with one of them time.",
            "E_NOT_A_VOLUME",
        )
    return tuple(shape[:3]), time_index(path, shape[3] if len(shape) > 3 else 1, part)


def decoded_bytes(path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Bytes of a volume that must be decoded as a whole. Raises SlideError (E_TOO_BIG)."""
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > MAX_VOLUME_BYTES:
        raise SlideError(
            f"{path.name}: {' x '.join(map(str, shape))} cells are {nbytes} bytes, more than the {MAX_VOLUME_BYTES} that are "
            "unpacked in one piece. Write it without compression, or as OME-Zarr in chunks.",
            "E_TOO_BIG",
        )
    return nbytes


def block(
    path: Path, offset: int, shape: Sequence[int], dtype: np.dtype[Any], unpack: Callable[[Path], IO[bytes]] | None
) -> Array:
    """Cells (i, j, k), first axis fastest, at byte `offset` of a file: memory-mapped, or unpacked by `unpack`.

    Raises SlideError: E_TRUNCATED, E_TOO_BIG.
    """
    if unpack is None:
        needed = offset + math.prod(shape) * dtype.itemsize
        have = path.stat().st_size
        if have < needed:
            raise short_of_voxels(path, f"{have} bytes of {needed}")
        return np.memmap(path, dtype, "r", offset, tuple(shape), "F")
    data = bytearray(decoded_bytes(path, shape, dtype))
    view, got = memoryview(data), 0
    try:
        with unpack(path) as file:
            file.seek(offset)
            while got < len(data) and (count := file.readinto(view[got : got + 2**24])):  # type: ignore[attr-defined]
                got += count
            if got == len(data):
                while file.read(2**20) and file.tell() < offset + 2 * len(data) + 2**26:
                    pass  # read to the checksum at the end, past other time points
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise short_of_voxels(path, str(error)) from error
    if got < len(data):
        raise short_of_voxels(path, f"{got} bytes of {len(data)}")
    return np.frombuffer(data, dtype).reshape(tuple(shape), order="F")


def short_of_voxels(path: Path, what: str) -> SlideError:
    """The error for a file that ends before its voxels do."""
    return SlideError(
        f"{path.name}: its voxels end early ({what}); it was cut short or damaged. Copy it again.", "E_TRUNCATED"
    )

"""NRRD reader: pynrrd parses the header; voxels, attached or detached, are memory-mapped or unpacked within a size limit."""

from __future__ import annotations

import bz2
import gzip
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..regular import open_regular
from ..slides.spacing import UNITS
from .file_head import NRRD, content_of
from .voxels import Voxels, affine_of, block, check_cells, in_memory, short_of_voxels, spatial_shape

_GZIP, _BZIP2 = ("gzip", "gz"), ("bzip2", "bz2")


_SPACES = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1), "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip
"""Signs that turn the axes of a space to Right, Anterior, Superior."""
_TYPES = {
    "int8": "i1", "signed char": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2", "int": "i4",
    "signed int": "i4", "int32": "i4", "int32_t": "i4", "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "int64": "i8", "int64_t": "i8", "ulonglong": "u8",
    "unsigned long long": "u8", "uint64": "u8", "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip

COLOURS = frozenset({"rgb-color", "rgba-color", "hsv-color", "xyz-color"})
COMPOUND = ("vector", "matrix", "complex", "point", "normal", "gradient", "quaternion", "-color")
"""Ends of the kinds of axes along which one value has several numbers; lists, times and domains are none of them."""


def accepts(path: Path, head: bytes) -> bool:
    return content_of(head) == NRRD


def times_of(path: Path) -> int:
    """Time points that an NRRD header states; 1 for other files, and where opening it will report why."""
    import nrrd

    try:
        with path.open("rb") as file:
            if content_of(file.read(512)) != NRRD:
                return 1
            file.seek(0)
            header = nrrd.read_header(file)
        directions, _, _ = _world_to_index(path, header, len(header["sizes"]))
        others = [int(n) for n, step in zip(header["sizes"], directions, strict=True) if step is None]
    except Exception:  # noqa: BLE001 - pynrrd raises whatever odd fields lead it to
        return 1
    return others[0] if others and set(others[1:]) <= {1} else 1


def open_nrrd(path: Path, part: str) -> Voxels:
    """Raises SlideError with a reason code."""
    import nrrd

    try:
        with open_regular(path) as file:
            header = nrrd.read_header(file)
            offset = file.tell()
        sizes = [int(n) for n in header["sizes"]]
        dtype = np.dtype(("<" if header.get("endian", "little") == "little" else ">") + _TYPES[header["type"]])
        directions, origin, notes = _world_to_index(path, header, len(sizes))
        if len(directions) != len(sizes):
            raise ValueError(f"{len(sizes)} sizes and {len(directions)} directions")
        order, where = _spatial_first(directions)
    except SlideError:
        raise
    except Exception as error:  # pynrrd raises whatever odd fields lead it to
        raise SlideError(
            f"{path.name}: its header cannot be understood ({type(error).__name__}: {error}); it is damaged, or of a kind "
            "that is not read. Copy it again, or write it with another tool.",
            "E_MALFORMED",
        ) from error
    encoding = str(header.get("encoding", "raw")).lower()
    if encoding not in ("raw", *_GZIP, *_BZIP2):
        raise SlideError(
            f"{path.name}: its voxels are written as {encoding}; raw, gzip and bzip2 are read. Write it again as gzip.",
            "E_UNSUPPORTED_PIXELS",
        )
    _check_kinds(path, header)
    check_cells(path, sizes, dtype)
    shape, t = spatial_shape(path, [sizes[axis] for axis in order], part)
    data, offset = _data(path, header, offset)
    unpack: Any = gzip.open if encoding in _GZIP else bz2.open if encoding in _BZIP2 else None
    skip = _byte_skip(path, header, is_packed=unpack is not None)
    if skip < 0:
        held, needed = data.stat().st_size - offset, math.prod(sizes) * dtype.itemsize
        if held < needed:
            raise short_of_voxels(data, f"{held} bytes of {needed}")
        skip = held - needed
    if order == sorted(order):
        offset_t = t * math.prod(shape) * dtype.itemsize
        cells = _cells(data, offset, (skip + offset_t, shape), dtype, unpack)
    else:  # time lies innermost
        whole = _cells(data, offset, (skip, tuple(sizes)), dtype, unpack)
        cells = whole.transpose(order).reshape(*shape, -1)[..., t]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([directions[axis] for axis in where]).T
    matrix[:3, 3] = origin
    return Voxels("nrrd", shape, dtype, in_memory(cells), affine_of(matrix), notes=notes, kept=unpack is not None)


def _cells(data: Path, start: int, at: tuple[int, tuple[int, ...]], dtype: np.dtype[Any], unpack: Any) -> Any:
    """Cells `at` (offset in bytes once they are unpacked, shape) of voxels that are stored from byte `start` on."""
    if unpack is None or start == 0:
        return block(data, start + at[0], at[1], dtype, unpack)

    def behind(path: Path) -> IO[bytes]:
        with open_regular(path) as file:
            file.seek(start)
            opened: IO[bytes] = unpack(io.BytesIO(file.read()))
        return opened

    return block(data, at[0], at[1], dtype, behind)


def _byte_skip(path: Path, header: Mapping[str, Any], *, is_packed: bool) -> int:
    """Bytes before the voxels, of packed ones in their unpacked stream; -1: the voxels are the last bytes of the file.

    Raises SlideError for what is not read.
    """
    skip = int(header.get("byte skip", header.get("byteskip", 0)) or 0)
    lines = int(header.get("line skip", header.get("lineskip", 0)) or 0)
    if lines or skip < (0 if is_packed else -1):
        stated = f"line skip {lines}" if lines else f"byte skip {skip}"
        raise SlideError(
            f"{path.name}: says where its voxels begin by {stated}, which is not read; a byte skip of 0 or more is, and of -1 "
            "where they are raw. Write it as one NRRD.",
            "E_UNSUPPORTED_PIXELS",
        )
    return skip


def _data(path: Path, header: Mapping[str, Any], offset: int) -> tuple[Path, int]:
    """(file of the voxels, offset of what is stored in it, behind an attached header)."""
    named = header.get("data file") or header.get("datafile")
    if not named:
        return path, offset
    if not isinstance(named, str) or named.upper().startswith("LIST") or "%" in named:
        raise SlideError(
            f"{path.name}: its voxels lie in several files; one is read. Write it as one NRRD.", "E_UNSUPPORTED_PIXELS"
        )
    data = path.parent / named
    if not data.resolve().is_relative_to(path.parent.resolve()):
        raise SlideError(f"{path.name}: its voxels would lie in {named!r}, outside of its folder; refused.", "E_PATH")
    if not data.is_file():
        raise SlideError(
            f"{path.name}: its voxels lie in {named!r}, which is not there. Copy both.", "E_MISSING_COMPANION"
        )
    return data, 0


def _world_to_index(path: Path, header: Mapping[str, Any], axes: int) -> tuple[list[Any], Any, tuple[str, ...]]:
    """(step along each axis in mm, None for an axis that is not spatial; position of the first cell in mm; notes)."""
    space = str(header.get("space", "")).lower()
    turn = np.array(_SPACES.get(space.removesuffix("-time"), (1, 1, 1)), np.float64)
    notes = []
    if space.removesuffix("-time") not in _SPACES:
        notes.append("its header states no orientation; Right, Anterior, Superior are assumed")
    steps = header.get("space directions")
    scale, unknown = _lengths(header, stated=steps is not None)
    notes += [f"its unit of length, {unknown!r}, is not known; millimetres are assumed"] if unknown else []
    if steps is not None:
        found = [None if s is None or np.isnan(s).all() else np.asarray(s, np.float64) * turn * scale for s in steps]
    else:
        spacings = np.asarray(header.get("spacings", [np.nan] * axes), np.float64)
        solid = [i for i in range(axes) if np.isfinite(spacings[i])]
        if len(solid) < 3:
            notes.append("its header states no size of voxels; 1 mm is assumed")
            solid, spacings = list(range(3)), np.ones(axes)
        found = [None] * axes
        for world, axis in enumerate(solid[:3]):
            found[axis] = np.eye(3)[world] * spacings[axis] * scale
    start = header.get("space origin")
    origin = np.zeros(3) if start is None else np.asarray(start, np.float64) * turn * scale
    return found, origin, tuple(notes)


def _lengths(header: Mapping[str, Any], *, stated: bool) -> tuple[Array, str]:
    """(millimetres in the unit of each axis of the space, the first unit that is not known): from `space units`, or, where
    `stated` directions are absent, from `units` of the axes."""
    units = header.get("space units")
    if units is None and not stated:
        units = [
            u for u, n in zip(header.get("units") or [], header.get("spacings", []), strict=False) if np.isfinite(n)
        ]
    names = [str(unit).strip().strip('"') for unit in (units or [])][:3]
    names += ["mm"] * (3 - len(names))
    unknown = next((name for name in names if name and name.lower() not in UNITS), "")
    return np.array([UNITS.get(name.lower(), 1e3) / 1e3 for name in names]), unknown


def _check_kinds(path: Path, header: Mapping[str, Any]) -> None:
    """Refuse axes that hold the parts of one value, such as the red, green and blue of a colour. Raises SlideError."""
    kinds = [str(kind).lower() for kind in header.get("kinds") or []]
    if odd := next((kind for kind in kinds if kind.endswith(COMPOUND) or kind in COLOURS), ""):
        what = "colours" if odd in COLOURS else f"values of several numbers ({odd})"
        raise SlideError(
            f"{path.name}: its voxels are {what}; one real number each is read. Write the channel, the grey value or the "
            "magnitude that is meant as a file of its own.",
            "E_UNSUPPORTED_PIXELS",
        )


def _spatial_first(directions: list[Any]) -> tuple[list[int], list[int]]:
    """(all axes, spatial ones first; spatial axes)."""
    where = [axis for axis, step in enumerate(directions) if step is not None]
    if len(where) != 3:
        raise ValueError(f"{len(where)} of its axes lie in space, three are needed")
    return where + [axis for axis in range(len(directions)) if axis not in where], where

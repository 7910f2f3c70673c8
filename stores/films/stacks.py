"""Stacks: arrays of many films in npy and npz files, read film by film in bounded memory.

```text
npy, stored npz     seek to the film                 any film costs the same
small packed npz    unpacked once and kept           up to SMALL_BYTES
large packed npz    unpacked as a stream, film by film; nothing before the first film that is asked for is kept
```
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import SlideError
from ..foreign import foreign
from ..frame import Array
from ..packed_arrays import array_headers, kept_array, npy_header, unpacking
from ..regular import open_regular
from ..slides.file_head import head_of, kind_of
from ..slides.picture_reader import MAX_PICTURE_PIXELS
from ..volumes.file_head import NPZ, content_of

SMALL_BYTES = 2**28
"""Bytes of a packed array that is unpacked as a whole and kept."""
_PIECE_BYTES = 2**20
_LOCAL_HEADER = 30


@dataclass(frozen=True, slots=True)
class FilmStack:
    """One array of films in a file."""

    path: Path
    name: str
    """Its name in an npz file; empty in an npy file."""
    shape: tuple[int, int, int, int]
    """(film, y, x, sample)."""
    dtype: np.dtype[Any]
    is_fortran: bool = False

    @property
    def film_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def is_npz(path: Path, head: bytes) -> bool:
    return content_of(head) == NPZ


def is_npy(path: Path, head: bytes) -> bool:
    return kind_of(head) == "npy"


def arrays_of(path: Path) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array of an npz file, or of the one, named "", of an npy file. Raises SlideError (E_TRUNCATED)."""
    if is_npz(path, head_of(path)):
        return array_headers(path)
    with reading(path), open_regular(path) as file:
        shape, dtype, _ = npy_header(file)
        stated, held = math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell()
        if min(shape, default=0) < 0 or (stated > held and not dtype.hasobject):
            raise ValueError(f"it states the shape {shape} and has {held} bytes")
    return {"": (shape, dtype)}


def stack_shape(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int, int, int] | None:
    """(film, y, x, sample) of an array that can be films; None for others: numbers of films, volumes, vectors.

    >>> stack_shape((5, 28, 28), np.dtype("u1")), stack_shape((28, 30), np.dtype("u1")), stack_shape((5, 1), np.dtype("u1"))
    ((5, 28, 28, 1), (1, 28, 30, 1), None)
    """
    if dtype.kind not in "biuf" or not 2 <= len(shape) <= 4 or 0 in shape:
        return None
    if len(shape) == 2:
        shape = (1, *shape, 1)
    elif len(shape) == 3:
        shape = (1, *shape) if shape[2] in (3, 4) else (*shape, 1)
    elif shape[1] == 1 and shape[3] not in (1, 3, 4):
        shape = (shape[0], *shape[2:], 1)
    is_film = shape[3] in (1, 3, 4) and min(shape[1:3]) > 1
    return (shape[0], shape[1], shape[2], shape[3]) if is_film else None


def stack_shapes(arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> dict[str, tuple[int, int, int, int]]:
    """Name -> shape of each array of a file that holds films; beside stacks, a matrix is no film but labels."""
    shapes = {name: known for name, (shape, dtype) in arrays.items() if (known := stack_shape(shape, dtype))}
    matrices = {name for name in shapes if len(arrays[name][0]) == 2}
    return {name: shape for name, shape in shapes.items() if name not in matrices or matrices == shapes.keys()}


def stack_of(path: Path, part: str) -> FilmStack:
    """The stack of a file that `part` names; it may be empty where there is one. Raises SlideError: E_NOT_A_FILM, E_TOO_BIG."""
    arrays = arrays_of(path)
    stacks = stack_shapes(arrays)
    name = next(iter(stacks)) if not part and len(stacks) == 1 else part
    if name not in stacks:
        words = ", ".join(f"{key or 'its array'} {shape} {dtype}" for key, (shape, dtype) in list(arrays.items())[:12])
        advice = (
            f"{part or 'nothing'!r} names none of its stacks of films (film, y, x). There is: {words}. Name one in a column "
            "`part` of a list, as train_images"
            if stacks
            else f"holds no stack of films (film, y, x). There is: {words or 'nothing'}. What it says of films is read beside "
            "their stack, if that has as many and is the only one, or if their names agree, as x_train and y_train do"
        )
        raise SlideError(f"{path.name}: {advice}.", "E_NOT_A_FILM")
    if math.prod(stacks[name][1:3]) > MAX_PICTURE_PIXELS:
        raise SlideError(
            f"{path.name}: {name} has films of {stacks[name][1]} x {stacks[name][2]}, more than the {MAX_PICTURE_PIXELS} "
            "pixels that a film may have.",
            "E_TOO_BIG",
        )
    with reading(path), ExitStack() as exits:
        file: Any = exits.enter_context(open_regular(path))
        if name:
            file = exits.enter_context(exits.enter_context(zipfile.ZipFile(file)).open(f"{name}.npy"))
        is_fortran = npy_header(file)[2]
    return FilmStack(path, name, stacks[name], arrays[name][1], is_fortran)


def stored_films(stack: FilmStack, start: int, stop: int) -> Iterator[Array | SlideError]:
    """(y, x, sample) as stored of films [start, stop); an error for each that cannot be read."""
    number = start
    try:
        with reading(stack.path), ExitStack() as exits:
            for film in _films(stack, start, stop, exits):
                yield film
                number += 1
    except SlideError as error:
        for lost in range(number, stop):
            yield SlideError(f"film {lost} of {stack.name or 'the array'} is lost: {error.message}", error.code)


def _films(stack: FilmStack, start: int, stop: int, exits: ExitStack) -> Iterator[Array]:
    size = math.prod(stack.shape) * stack.dtype.itemsize
    file: Any = exits.enter_context(open_regular(stack.path))
    offset, is_packed = 0, False
    if stack.name:
        archive = exits.enter_context(zipfile.ZipFile(file))
        info = archive.getinfo(f"{stack.name}.npy")
        is_packed = info.compress_type != zipfile.ZIP_STORED or bool(info.flag_bits & 1)
        offset = _data_offset(file, info.header_offset)
        if is_packed and size <= SMALL_BYTES:
            whole = kept_array(stack.path, stack.name, SMALL_BYTES).reshape(stack.shape)
            yield from (whole[number] for number in range(start, stop))
            return
        if is_packed:
            file = exits.enter_context(archive.open(info))
    if stack.is_fortran and stack.shape[0] > 1:
        raise SlideError(
            f"{stack.path.name}: {stack.name or 'its array'} has its first axis fastest (Fortran order), so that each film "
            "lies all over it. Save it with numpy.ascontiguousarray.",
            "E_UNSUPPORTED_PIXELS",
        )
    if not is_packed:
        file.seek(offset)
    npy_header(file)
    _skip(file, start * stack.film_bytes, is_packed)
    for _ in range(start, stop):
        data = bytearray(stack.film_bytes)
        _fill(file, memoryview(data))
        film = np.frombuffer(data, stack.dtype)
        shape = stack.shape[1:]
        yield film.reshape(shape[::-1]).transpose() if stack.is_fortran else film.reshape(shape)


def _data_offset(file: IO[bytes], header: int) -> int:
    """Where the bytes of a member begin behind its header at byte `header`."""
    file.seek(header)
    local = file.read(_LOCAL_HEADER)
    if local[:4] != b"PK\x03\x04" or len(local) < _LOCAL_HEADER:
        raise ValueError("a member does not begin where the archive says")
    return header + _LOCAL_HEADER + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")


def _skip(file: Any, count: int, is_packed: bool) -> None:
    if not is_packed:
        file.seek(count, 1)
        return
    while count > 0:
        piece = len(file.read(min(count, _PIECE_BYTES)))
        if not piece:
            raise ValueError("it ends early")
        count -= piece


def _fill(file: Any, view: memoryview) -> None:
    place = 0
    while place < len(view):
        count = file.readinto(view[place:])
        if not count:
            raise ValueError(f"a film has {place} bytes of {len(view)}")
        place += count


def reading(path: Path) -> AbstractContextManager[None]:
    """Context in which a file is taken apart: whatever is wrong in it is a SlideError (E_TRUNCATED)."""
    return (
        unpacking(path)
        if path.name.lower().endswith(".npz")
        else foreign(
            lambda why: SlideError(
                f"{path.name}: cannot be read to its end ({why}); it was cut short. Copy it again.", "E_TRUNCATED"
            )
        )
    )

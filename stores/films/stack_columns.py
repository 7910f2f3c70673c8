"""Stack columns: what the arrays beside a stack say of each of its films: labels, subjects, splits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array
from ..lists.array_cells import row_text
from ..packed_arrays import kept_array
from ..regular import open_regular
from ..remote import ObjectPath
from .stacks import arrays_of, reading, stack_shapes

MAX_COLUMN_BYTES = 2**30
MAX_VALUES = 32
"""Values of an array for each film, at most, for it to be a column and no matrix of features."""
_IMAGES = "_images"
"""End of the name of a stack whose beginning names its part: `train_images` with `train_labels`."""
_X, _Y = "x_", "y_"
_PARTS = frozenset({"train", "val", "valid", "validation", "dev", "test"})
"""Parts that such names have as Keras writes them: `x_train` with `y_train`."""
_LABELS = {"labels": "label", "subjects": "subject", "patients": "subject", "sites": "site"}
_Arrays = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]


@dataclass(frozen=True, slots=True)
class StackColumns:
    """Columns of the films of a stack."""

    values: dict[str, tuple[str, ...]]
    """Name -> text of each film."""
    notes: tuple[str, ...] = ()
    """Arrays beside the stack that are no columns, and cells of columns that hold no value."""


def columns_of(path: Path, part: str) -> StackColumns:
    """The columns of a stack in an npz file, or of an npy file from the npy files beside it.

    `train_images` takes the arrays `train_...`, `x_train` takes `y_train`, the only stack of a file takes all; each needs a row
    a film: of several values, they are joined by spaces. Raises SlideError for a file that cannot be read.
    """
    arrays = arrays_of(path)
    name, files = part, {}
    if "" in arrays:
        name, files = path.stem, npy_files(path.parent)
        arrays = arrays_of_folder(path.parent)
    stacks = stack_shapes(arrays)
    name = name or next(iter(stacks), "")
    if name not in stacks:
        return StackColumns({})
    count, values, notes = stacks[name][0], {}, []
    for other, (shape, dtype) in arrays.items():
        column = column_name(name, other, stacks)
        if other in stacks or (shape[:1] != (count,) and column in ("", other)):
            continue  # what has other rows is missed only where its name says that it is of these films
        if why := _why_no_column(count, shape, dtype) if column else _why_nobodys(other, stacks):
            notes.append(f"{other} {why}")
        elif column:
            array = _small_array(path, other, files).reshape(count, -1)
            values[column] = tuple(map(row_text, array.tolist()))
            if missing := sum(not text for text in values[column]):
                notes.append(f"{other} states no value of {missing:,} of {count:,} films")
    return StackColumns(values, tuple(notes))


def _why_no_column(count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Why an array beside a stack of `count` films is no column of it; empty for one that is."""
    if shape[:1] != (count,):
        return f"has the shape {shape}, not a row for each of {count:,} films, and is not read"
    if dtype.hasobject or dtype.kind not in "biufUS":
        return f"holds {dtype}, which is not read"
    if len(shape) > 2 or math.prod(shape[1:]) > MAX_VALUES:
        return f"has the shape {shape}; a column has at most {MAX_VALUES} values a film, so it is not read"
    return ""


def _why_nobodys(name: str, stacks: Mapping[str, object]) -> str:
    """Why an array of as many rows as a stack is a column of none; empty for one of another stack."""
    if any(column_name(stack, name, stacks) for stack in stacks):
        return ""
    return (
        f"belongs to none of the stacks {', '.join(stacks)} by its name, and is not read; "
        "call it train_labels beside train_images, or y_train beside x_train"
    )


def _small_array(path: Path, name: str, files: Mapping[str, Path]) -> Array:
    if not files:
        return kept_array(path, name, MAX_COLUMN_BYTES)
    file = files[name]
    if file.stat().st_size > MAX_COLUMN_BYTES:
        raise SlideError(
            f"{file.name}: has more than the {MAX_COLUMN_BYTES} bytes that a column may have.", "E_TOO_BIG"
        )
    with reading(file), open_regular(file) as opened:
        return np.asarray(np.load(opened, allow_pickle=False))


def column_name(stack: str, other: str, stacks: Mapping[str, object]) -> str:
    """Name of the column that array `other` is of a stack; empty where it is none.

    >>> column_name("train_images", "train_labels", {"train_images": 1, "test_images": 1}), column_name("x", "age", {"x": 1})
    ('label', 'age')
    >>> [column_name("x_train", other, {"x_train": 1, "x_test": 1}) for other in ("y_train", "y_test")]
    ['label', '']
    """
    if other in stacks:
        return ""
    part = part_of(stack)
    if part and other == _Y + part:
        return "label"
    if part and other.startswith(f"{part}_"):
        rest = other.removeprefix(f"{part}_")
    elif len(stacks) == 1:
        rest = other
    else:
        return ""
    return _LABELS.get(rest, rest)


def part_of(stack: str) -> str:
    """The part that the name of a stack names; empty where it names none.

    >>> part_of("train_images"), part_of("x_test"), part_of("x_ray")
    ('train', 'test', '')
    """
    if stack.endswith(_IMAGES):
        return stack.removesuffix(_IMAGES)
    part = stack.removeprefix(_X)
    return part if part != stack and part in _PARTS else ""


def column_files(path: Path) -> list[Path]:
    """The npy files that hold columns of an npy file of films; empty for any other file."""
    if path.suffix.lower() != ".npy" or isinstance(path, ObjectPath):
        return []
    arrays, files = arrays_of_folder(path.parent), npy_files(path.parent)
    stacks = stack_shapes(arrays)
    if path.stem not in stacks:
        return []
    count = stacks[path.stem][0]
    others = [name for name, (shape, _) in arrays.items() if name not in stacks and shape[:1] == (count,)]
    return [files[name] for name in others if column_name(path.stem, name, stacks)]


def arrays_of_folder(folder: Path) -> _Arrays:
    """Shape and type of the array of every npy file of a folder that can be read, by name without suffix."""
    states = ((file, file.stat()) for file in npy_files(folder).values())
    return _arrays_of_folder(folder, tuple((file.name, state.st_size, state.st_mtime_ns) for file, state in states))


@lru_cache(8)
def _arrays_of_folder(folder: Path, state: tuple[tuple[str, int, int], ...]) -> _Arrays:
    """Of a folder in this state: a thousand sets would open a thousand files each."""
    return {stem: known for stem, file in npy_files(folder).items() for known in [_shape(file)] if known}


def npy_files(folder: Path) -> dict[str, Path]:
    """Name without its suffix -> npy file of a folder."""
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".npy" and file.is_file()}


def _shape(file: Path) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    try:
        return arrays_of(file)[""]
    except (SlideError, KeyError):
        return None  # a file that cannot be read is reported as an entry of its own

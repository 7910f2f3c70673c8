"""Npz reader: stacks of volumes in one file, as in MedMNIST: `train_images` (n, z, y, x) and `train_labels` (n, 1).

Each process unpacks an array once and shares it between its volumes; pickled objects are never opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..lists.array_cells import row_text
from ..packed_arrays import array_headers, kept_array
from .file_head import NPZ, content_of
from .voxels import MAX_VOLUME_BYTES, Voxels, affine_of, check_cells, in_memory

_IMAGES, _LABELS = "_images", "_labels"
_MAX_LABELS = 2**26


def accepts(path: Path, head: bytes) -> bool:
    return content_of(head) == NPZ


def members(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(part, columns) of each volume: `train_images/12` with its label and split. Raises SlideError."""
    arrays = array_headers(path)
    if single := _single(arrays):
        yield single, {}
        return
    stacks = [name for name, (shape, _) in arrays.items() if _is_stack(shape)]
    split_stacks = [name for name in stacks if name.endswith(_IMAGES)]
    for name in split_stacks or stacks:
        count = arrays[name][0][0]
        labels = name.removesuffix(_IMAGES) + _LABELS
        values: list[str] = []
        if name in split_stacks and labels in arrays:
            label_array = kept_array(path, labels, _MAX_LABELS)
            flat = (
                label_array.reshape(len(label_array), -1)
                if len(label_array) == count
                else label_array[:0].reshape(0, 1)
            )
            values = [row_text(row.tolist()) for row in flat]
        for i in range(count):
            extra = {"label": values[i]} if values else {}
            yield f"{name}/{i}", extra | ({"split": name.removesuffix(_IMAGES)} if name in split_stacks else {})


def open_npz(path: Path, part: str) -> Voxels:
    """Raises SlideError with a reason code."""
    arrays = array_headers(path)
    part = part or _single(arrays)
    name, _, number = part.partition("/")
    if name not in arrays or (number and not number.isdecimal()):
        names = ", ".join(f"{key} {shape}" for key, (shape, _) in list(arrays.items())[:12]) or "nothing"
        raise SlideError(
            f"{path.name}: holds many arrays, and {part or 'none'!r} names none of its volumes. There is: {names}. Name one as "
            "train_images/0.",
            "E_NOT_A_VOLUME",
        )
    shape, dtype = arrays[name]
    if number and (not _is_stack(shape) or int(number) >= shape[0]):
        raise SlideError(f"{path.name}: {name} has shape {shape}: there is no volume {number} in it.", "E_NOT_A_VOLUME")
    if not number and len(shape) != 3:
        raise SlideError(
            f"{path.name}: {name} has shape {shape}: a stack (n, z, y, x); name one of its volumes as {name}/0.",
            "E_NOT_A_VOLUME",
        )
    kind = np.dtype("u1") if dtype == np.bool_ else dtype
    check_cells(path, shape[-3:], kind)
    array = kept_array(path, name, MAX_VOLUME_BYTES)
    cells = (array[int(number)] if number else array).view(kind).transpose()
    notes = ["states no size of voxels and no orientation; 1 mm is assumed, and the array's axes as z, y, x"]
    notes += _unread_labels(name, arrays) if number else []
    if "affine" in arrays:
        notes.append("its array `affine` is not read, as nothing says which axes it is of")
    return Voxels("npz", cells.shape, kind, in_memory(cells), affine_of(np.eye(4)), notes=tuple(notes), kept=True)


def _unread_labels(stack: str, arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> list[str]:
    """Notes on arrays that seem to say something of the volumes of a stack, and are not read."""
    count, part = arrays[stack][0][0], stack.removesuffix(_IMAGES)
    labels = part + _LABELS if part != stack else ""
    notes = [f"its array `{labels}` has not a row for each of {count} volumes and is not read"]
    notes = notes if labels in arrays and arrays[labels][0][:1] != (count,) else []
    return notes + [
        f"its array `{name}` has a row for each of {count} volumes and is not read: labels are called `train_labels` beside "
        "`train_images`"
        for name, (shape, _) in arrays.items()
        if name != labels and len(shape) <= 2 and shape[:1] == (count,) and not _is_of_other(name, stack, arrays)
    ]


def _is_of_other(name: str, stack: str, arrays: Mapping[str, object]) -> bool:
    """Whether an array has the labels of another stack."""
    other = name.removesuffix(_LABELS) + _IMAGES
    return name.endswith(_LABELS) and other != stack and other in arrays


def _single(arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    """Name of the only volume (z, y, x) of a file without stacks; empty where there is none, or several."""
    if any(_is_stack(shape) for shape, _ in arrays.values()):
        return ""
    volumes = [
        name for name, (shape, kind) in arrays.items() if len(shape) == 3 and min(shape) > 1 and kind.kind in "biuf"
    ]
    volumes = [name for name in volumes if arrays[name][0][-1] not in (3, 4)]  # (y, x, 3) is a picture
    return volumes[0] if len(volumes) == 1 else ""


def _is_stack(shape: tuple[int, ...]) -> bool:
    """Whether a shape is a stack of volumes (n, z, y, x), not of colour pictures (n, y, x, 3)."""
    return len(shape) == 4 and shape[0] > 0 and min(shape[1:]) > 1 and shape[-1] not in (3, 4)

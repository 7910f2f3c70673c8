"""triptych: three orthogonal planes of a volume side by side, and the labels on them, as one picture that any map can show.

```text
+---------+ +---------+ +---------+     axial (Anterior up), coronal and sagittal (Superior up)
|  y      | |  z      | |  z      |     Right is right; pixels are squares of the finest spacing
|   x     | |   x     | |   y     |
+---------+ +---------+ +---------+
```
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...stores.frame import Array, Frame
from .orientation import SideLetter, plane_letters
from .picture import Cells, Picture

PLANE_GAP_PIXELS = 6
"""Pixels between planes."""


def triptych(
    values: Array, frame: Frame, labels: Array, cells: Frame, *, centre: Sequence[float], sided: bool = True
) -> tuple[Picture, Cells]:
    """Planes through `centre` (z, y, x in um) of `values` (uint8) on `frame`, and of `labels` on `cells`.

    They have letters where it is known which side is which (`sided`).
    """
    pixel = min(frame.spacing)
    value_planes, label_planes = [], []
    for across in range(3):
        axes = [axis for axis in range(3) if axis != across]
        value_planes.append(_plane(values, frame, (frame, pixel), axes=axes, centre=centre))
        label_planes.append(_plane(labels, cells, (frame, pixel), axes=axes, centre=centre))
    rgb = np.repeat(_beside(value_planes)[..., None], 3, 2)
    letters = _letters(value_planes, rgb.shape[1]) if sided else ()
    picture = Picture(np.ascontiguousarray(rgb), float(pixel), dark=True, letters=letters)
    return picture, Cells(_beside(label_planes), float(pixel))


def _letters(planes: Sequence[Array], width: int) -> tuple[SideLetter, ...]:
    """The letters of all planes, in parts of the whole picture."""
    letters, left = list[SideLetter](), 0
    for across, plane in enumerate(planes):
        columns = plane.shape[1]
        letters += [(letter, y, (left + x * columns) / width, side) for letter, y, x, side in plane_letters(across)]
        left += columns + PLANE_GAP_PIXELS
    return tuple(letters)


def _plane(
    array: Array, on: Frame, canvas: tuple[Frame, float], *, axes: Sequence[int], centre: Sequence[float]
) -> Array:
    """The cells of a plane, one for each pixel of the canvas; 0 where the array has none. Up is the first axis' upper end."""
    frame, pixel = canvas
    index: list[Array] = []
    for axis in range(3):
        if axis in axes:
            count = max(1, round(frame.shape[axis] * frame.spacing[axis] / pixel))
            at = frame.origin[axis] + (np.arange(count) + 0.5) * pixel
        else:
            at = np.array([centre[axis]])
        index.append(np.floor((at - on.origin[axis]) / on.spacing[axis]).astype(int))
    masks = np.ix_(*(((i >= 0) & (i < n)).astype(np.uint8) for i, n in zip(index, on.shape, strict=True)))
    cells = array[np.ix_(*(i.clip(0, n - 1) for i, n in zip(index, on.shape, strict=True)))]
    plane = (cells * (masks[0] & masks[1] & masks[2])).astype(array.dtype)
    return np.asarray(plane.reshape([len(index[axis]) for axis in axes])[::-1])


def _beside(planes: Sequence[Array]) -> Array:
    high = max(len(plane) for plane in planes)
    tall = [np.pad(plane, (((high - len(plane)) // 2, -(-(high - len(plane)) // 2)), (0, 0))) for plane in planes]
    gap = np.zeros((high, PLANE_GAP_PIXELS), planes[0].dtype)
    return np.concatenate([tall[0], gap, tall[1], gap, tall[2]], 1)

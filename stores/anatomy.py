"""Anatomy: the direction in a patient that an axis of an OME-Zarr volume grows to, as NGFF's RFC-4 states it on the axis.

```json
{"name": "x", "type": "space", "unit": "millimeter", "orientation": {"type": "anatomical", "value": "left-to-right"}}
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DIRECTIONS = {
    "left-to-right": (0, 1), "right-to-left": (0, -1), "posterior-to-anterior": (1, 1), "anterior-to-posterior": (1, -1),
    "inferior-to-superior": (2, 1), "superior-to-inferior": (2, -1),
}  # fmt: skip
"""Value of an orientation -> (world axis: 0 Right, 1 Anterior, 2 Superior; sign)."""
CANONICAL = {"x": "left-to-right", "y": "posterior-to-anterior", "z": "inferior-to-superior"}
"""Orientations of the axes of the volumes that we write."""


def orientation_of(axis: str) -> dict[str, Any]:
    """The entry of a canonical axis."""
    return {"orientation": {"type": "anatomical", "value": CANONICAL[axis]}}


def directions_of(axes: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """(world axis, sign) of the axes x, y and z; empty where they state none, or none that is known here, or one twice.

    >>> directions_of([{"name": a, **orientation_of(a)} for a in "zyx"])
    ((0, 1), (1, 1), (2, 1))
    """
    stated = {}
    for axis in axes:
        orientation = axis.get("orientation") if isinstance(axis, Mapping) else None
        if isinstance(orientation, Mapping) and str(orientation.get("value")) in DIRECTIONS:
            stated[str(axis.get("name"))] = DIRECTIONS[str(orientation["value"])]
    if not set("xyz") <= stated.keys() or len({stated[name][0] for name in "xyz"}) < 3:
        return ()
    return tuple(stated[name] for name in "xyz")

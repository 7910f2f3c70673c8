"""patch_sides: how the sides of patches are written: a square or cube of one side, or squares of several sizes in each other.

```text
64, "64", "64,64,64", "64x64x64", (64, 64, 64)    one side: the numbers are those along each axis
"64,128", (64, 128)                               two sizes of a square: a picture has no patches of unequal sides
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sizes:
    """The bounds of each size, in pixels; help states them as it states those of a number."""

    ge: int
    le: int
    multiple_of: int

    def parsed(self, value: Any) -> int | tuple[int, ...]:
        """One side, or several sizes with the smallest first. Raises ValueError for what is neither, or out of bounds."""
        sides = sides_of(value)
        if len(sides) > 1 and (len(sides) < len(_parts(value)) or "x" in str(value).lower()):
            raise ValueError(
                f"{value!r} has unequal sides; patches are squares. Several sizes are numbers that differ, such as 64,128"
            )
        for side in sides:
            if not self.ge <= side <= self.le or side % self.multiple_of:
                raise ValueError(
                    f"{side} is no side of a patch: sides are {self.ge} to {self.le} pixels, in steps of {self.multiple_of}"
                )
        return sides[0] if len(sides) == 1 else sides


def one_side(value: Any) -> Any:
    """The number that all sides have; what is no list of sides is returned as it is. Raises ValueError for unequal sides."""
    if not isinstance(value, (str, list, tuple)):
        return value
    parts = _parts(value)
    if len(set(parts)) != 1:
        raise ValueError(
            f"{value!r} has unequal sides; patches here are squares or cubes of one size, such as 64 or 64,64,64"
        )
    return parts[0]


def sides_of(value: Any) -> tuple[int, ...]:
    """All sides that are named, each once, the smallest first. Raises ValueError for what names none.

    >>> sides_of("64,128") == sides_of([128, 64]), sides_of("64x64") == sides_of(64)
    (True, True)
    """
    return tuple(sorted({_whole(part, value) for part in _parts(value)}))


def _parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [side.strip() for side in value.lower().replace("x", ",").split(",")]
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    if not parts:
        raise ValueError(f"{value!r} names no side of a patch; give one, such as 64")
    return parts


def _whole(part: Any, value: Any) -> int:
    try:
        side = float(part)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} names no sides of patches, such as 64, or 64,128 for two sizes") from error
    if not side.is_integer():
        raise ValueError(f"{part!r} is no side of a patch, which is a whole number of pixels")
    return int(side)

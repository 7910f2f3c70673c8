"""Box and Frame: blocks of indices, and the position of an array in micrometres. All geometry uses these two.

```text
index      0     1     2     3          index i is the cell [i, i + 1): edges, not centres
           |-----|-----|-----|
origin ----^     spacing = length of a cell in micrometres
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open block of indices over any number of axes.

    >>> Box((0, 4), (8, 12)) & Box((6, 0), (20, 6))
    Box(start=(6, 4), stop=(8, 6))
    """

    start: tuple[int, ...]
    """First index of each axis."""
    stop: tuple[int, ...]
    """One past the last index of each axis; never before `start`."""

    def __post_init__(self) -> None:
        if len(self.start) != len(self.stop):
            raise ValueError(f"a box needs as many starts as stops, got {self.start} and {self.stop}")
        for a, b in zip(self.start, self.stop):  # noqa: B905 - checked above; boxes are made by the million
            if b < a:
                raise ValueError(f"a box cannot end before it starts: start {self.start}, stop {self.stop}")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def grow(self, halo: Sequence[int]) -> Box:
        """The box with `halo` more cells on both sides of each axis; it may extend beyond a frame."""
        return Box(
            tuple(a - h for a, h in zip(self.start, halo, strict=True)),
            tuple(b + h for b, h in zip(self.stop, halo, strict=True)),
        )

    def __and__(self, other: Box) -> Box:
        """The cells common to both; an empty box (at the later start) where there are none."""
        start = tuple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = tuple(min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Box(start, tuple(max(a, b) for a, b in zip(start, stop, strict=True)))

    def contains(self, other: Box) -> bool:
        ends = zip(self.start, other.start, other.stop, self.stop, strict=True)
        return all(a <= b and c <= d for a, b, c, d in ends)

    def shift(self, offset: Sequence[int]) -> Box:
        return Box(
            tuple(a + o for a, o in zip(self.start, offset, strict=True)),
            tuple(b + o for b, o in zip(self.stop, offset, strict=True)),
        )

    def coarsen(self, factor: Sequence[int]) -> Box:
        """The smallest box of `factor` times larger cells that covers this one."""
        return Box(
            tuple(a // f for a, f in zip(self.start, factor, strict=True)),
            tuple(-(-b // f) for b, f in zip(self.stop, factor, strict=True)),
        )

    def refine(self, factor: Sequence[int]) -> Box:
        """The same cells counted in `factor` times smaller ones."""
        return Box(
            tuple(a * f for a, f in zip(self.start, factor, strict=True)),
            tuple(b * f for b, f in zip(self.stop, factor, strict=True)),
        )

    def cut(self, shape: Sequence[int]) -> Iterator[Box]:
        """Blocks of `shape`, aligned to multiples of it, clipped to this box, in C order."""
        axes = [
            [(max(a, i * s), min(b, (i + 1) * s)) for i in range(a // s, -(-b // s))]
            for a, b, s in zip(self.start, self.stop, shape, strict=True)
        ]
        for block in product(*axes):
            yield Box(tuple([a for a, _ in block]), tuple([b for _, b in block]))


@dataclass(frozen=True, slots=True)
class Frame:
    """Position of an array in space: cell i of an axis covers [origin + i * spacing, origin + (i + 1) * spacing).

    >>> Frame(("y", "x"), (5, 4), (0.5, 0.5)).coarsen((2, 2))
    Frame(axes=('y', 'x'), shape=(3, 2), spacing=(1.0, 1.0), origin=(0.0, 0.0))
    """

    axes: tuple[str, ...]
    """Names of the spatial axes, in order: ("y", "x") or ("z", "y", "x")."""
    shape: tuple[int, ...]
    """Cells along each axis."""
    spacing: tuple[float, ...]
    """Micrometres a cell along each axis."""
    origin: tuple[float, ...] = ()
    """Micrometres of the lower edge of cell 0; zeros by default."""

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", (0.0,) * len(self.axes))
        lengths = {len(self.axes), len(self.shape), len(self.spacing), len(self.origin)}
        if len(lengths) != 1:
            raise ValueError(
                f"a frame needs one shape, spacing and origin per axis: axes {self.axes}, shape {self.shape}, "
                f"spacing {self.spacing}, origin {self.origin}"
            )
        if any(n < 1 for n in self.shape):
            raise ValueError(f"a frame has at least one cell along each axis, got shape {self.shape}")
        if not all(math.isfinite(s) and s > 0 for s in self.spacing):
            raise ValueError(f"spacing is a positive length in micrometres, got {self.spacing}")

    @property
    def box(self) -> Box:
        """All indices of the frame."""
        return Box((0,) * len(self.shape), self.shape)

    @property
    def text(self) -> str:
        """Size and spacing for display, x first: of a volume in millimetres, of a plane in micrometres.

        >>> Frame(("z", "y", "x"), (90, 120, 110), (4000.0, 2000.0, 2000.0)).text
        '110 x 120 x 90 (x, y, z) at 2 x 2 x 4 mm'
        """
        axes = f" ({', '.join(self.axes[::-1])})" if len(self.axes) == 3 else ""
        return f"{' x '.join(map(str, self.shape[::-1]))}{axes} at {self.spacing_text}"

    @property
    def spacing_text(self) -> str:
        """The spacing for display, x first: of a volume in millimetres, of a plane in micrometres."""
        scale, unit = (1000, "mm") if len(self.axes) == 3 else (1, "um")
        return f"{' x '.join(f'{s / scale:.7g}' for s in self.spacing[::-1])} {unit}"

    def coarsen(self, factor: Sequence[int]) -> Frame:
        """The frame of `factor` times larger cells with the same lower edge; the last cell may extend beyond the frame."""
        return replace(
            self,
            shape=tuple(-(-n // f) for n, f in zip(self.shape, factor, strict=True)),
            spacing=tuple(s * f for s, f in zip(self.spacing, factor, strict=True)),
        )

    def centres(self, axis: int) -> Array:
        """Micrometres of the cell centres along an axis, float64, shape (cells,)."""
        import numpy as np

        return self.origin[axis] + (np.arange(self.shape[axis]) + 0.5) * self.spacing[axis]

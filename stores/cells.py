"""Cells: labels of coarse cells that are stored on the image's own grid, where every pixel repeats the cell that it lies in.

```text
cells        |   1   |   2   |
level 0      |1|1|1|1|2|2|2|2|      factor 4: the cells' size in pixels
level 1      | 1 | 1 | 2 | 2 |      every second pixel of the level before
level 2      |   1   |   2   |      the cells themselves, if their factor is a power of two
```
Readers that ignore `translation` show labels in register only where these have the grid of the image. The size of a cell stands
in the label's own attributes; labels without it, as older runs wrote them, are the cells themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .array import Written
from .frame import Array, Box, Frame
from .image import ATTRIBUTES_KEY, ImageSpec, StoredImage, attributes_of, not_ours

CELL_KEY = "cell"
"""Own attribute of a label: pixels of its finest level in a cell, along each axis."""


def cell_factor(cells: Frame, image: Frame) -> tuple[int, ...]:
    """Pixels of an image in a cell of a grid over it, by axis; () where cells are no whole pixels, or smaller ones.

    >>> frame = Frame(("y", "x"), (5, 4), (0.5, 0.5))
    >>> cell_factor(frame.coarsen((3, 3)), frame), cell_factor(frame, frame.coarsen((2, 2)))
    ((3, 3), ())
    """
    ratios = [a / b for a, b in zip(cells.spacing, image.spacing, strict=True)]
    factor = tuple(round(ratio) for ratio in ratios)
    is_whole = all(n >= 1 and abs(ratio / n - 1) < 1e-6 for n, ratio in zip(factor, ratios, strict=True) if n)
    return factor if is_whole and all(factor) else ()


def repeated(cells: Array, picks: Sequence[Array]) -> Array:
    """The cells that are picked along each axis; the last axis first: what is repeated later is copied row by row."""
    for axis in reversed(range(len(picks))):
        cells = cells.take(picks[axis], axis)
    return cells


def write_repeated(
    path: Path, cells: Array, spec: ImageSpec, factor: Sequence[int]
) -> tuple[StoredImage, list[Written]]:
    """Write the values of cells, `factor` pixels wide, to every level of a new label, which its caller finishes.

    Each pixel has the value of the cell that its first pixel of level 0 lies in. Most chunks have one value."""
    stored, files = StoredImage.create(path, spec), []
    cells = cells.astype(spec.dtype, copy=False)
    for level, on in enumerate(spec.frames):
        step = [round(a / b) for a, b in zip(on.spacing, spec.frames[0].spacing, strict=True)]
        array = stored.levels[level]
        for box in on.box.cut(stored.shard(level)):
            encoder = array.encoder()
            axes = zip(box.start, box.stop, factor, step, array.spec.chunk, strict=True)
            picks = [
                [np.arange(at, min(at + chunk, stop)) * k // f for at in range(start, stop, chunk)]
                for start, stop, f, k, chunk in axes
            ]
            for at in np.ndindex(*map(len, picks)):
                chosen = [pick[i] for pick, i in zip(picks, at, strict=True)]
                values = cells[tuple(slice(pick[0], pick[-1] + 1) for pick in chosen)]
                if (values == values.flat[0]).all():
                    encoder.put_value(at, values.flat[0])
                else:
                    encoder.put(at, repeated(values, [pick - pick[0] for pick in chosen]))
            files.append(array.write_encoded(box, encoder))
    return stored, files


@dataclass(frozen=True, slots=True)
class LabelCells:
    """A stored label as the cells that it was computed for, whichever grid it is stored on."""

    image: StoredImage
    factor: tuple[int, ...]
    """Pixels of its finest level in a cell, by axis."""

    @classmethod
    def open(cls, path: Path) -> LabelCells:
        """Open a finished label. Raises CorruptError for an unfinished or damaged one."""
        image = StoredImage.open(path)
        axes = len(image.frames[0].shape)
        factor = attributes_of(path)[ATTRIBUTES_KEY].get(CELL_KEY, [1] * axes)
        if not isinstance(factor, list) or [type(n) for n in factor] != [int] * axes or min(factor) < 1:
            raise not_ours(path, f"the size of its cells is {factor!r}")
        return cls(image, tuple(factor))

    @property
    def frame(self) -> Frame:
        """The frame of the cells."""
        return self.image.frames[0].coarsen(self.factor)

    def read(self, box: Box) -> Array:
        """Values of a box of cells, of its shape; read from the coarsest level that holds every cell."""
        level, stride = self._source()
        if set(stride) == {1}:
            return np.asarray(self.image.read(box, level)[0])
        out = np.empty(box.shape, self.image.dtype)
        fit = [max(1, n // s) for n, s in zip(self.image.shard(level), stride, strict=True)]
        for part in box.cut(fit):  # one shard in memory
            pixels = self.image.read(part.refine(stride) & self.image.frames[level].box, level)[0]
            every = tuple(slice(None, None, s) for s in stride)
            out[part.shift([-a for a in box.start]).slices] = pixels[every]
        return out

    def read_all(self) -> Array:
        return self.read(self.frame.box)

    def _source(self) -> tuple[int, tuple[int, ...]]:
        """The coarsest level whose pixels divide the cells, and its pixels in a cell, by axis."""
        finest = self.image.frames[0].spacing
        for level in range(len(self.image.frames) - 1, 0, -1):
            step = [round(s / f) for s, f in zip(self.image.frames[level].spacing, finest, strict=True)]
            if not any(f % k for f, k in zip(self.factor, step, strict=True)):
                return level, tuple(f // k for f, k in zip(self.factor, step, strict=True))
        return 0, self.factor

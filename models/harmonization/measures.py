"""Measures: what the fit of a tone needs of one image: its scale, its head box, values at many places, and a thumbnail.

```text
image, mask --> scale (99th percentile inside) --> values / scale
            `-> box of the mask --> positions in [-1, 1] along each axis
```
Positions are relative to the head, so that people of different sizes are compared at corresponding places.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SlideError
from ..seeds import numpy_generator

Array = npt.NDArray[Any]

BLOCKS = 5
"""Blocks of the head box along each axis; values are compared block by block."""
VALUES = 160
"""Values that are drawn in each block."""
LEAST = 50
"""Cells of the mask that a block needs to take part."""
THUMBNAIL = 24
"""Cells of the thumbnail along each axis."""
SCALE_PERCENTILE = 99.0
MOST_BELOW = 0.01
"""Share of negative values inside the mask that noise may explain."""
FLAT_VALUES = BLOCKS**3 * VALUES // 4
"""Values drawn of an image without a field: one block."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of one image; A axes, C channels, G blocks, Q values of a block."""

    scale: Array
    """(C,): the value that becomes 1."""
    median: Array
    """(C,): median inside the mask, divided by the scale."""
    centre: Array
    """(A,): centre of the mask's box, in cells of the image."""
    half: Array
    """(A,): half of its sides."""
    values: Array
    """(G, Q, C): values inside the mask, divided by the scale."""
    positions: Array
    """(G, Q, A): their positions, -1 to 1 across the box."""
    counts: Array
    """(G,): cells of the mask in each block."""
    thumbnail: Array
    """(C, 24, 24, 24): means over the mask, divided by the scale; empty for images of two axes."""
    covered: Array
    """(24, 24, 24): whether the mask covers a cell of the thumbnail."""

    def tensors(self) -> dict[str, Array]:
        """The fields by name, as contiguous arrays."""
        return {one.name: np.ascontiguousarray(getattr(self, one.name)) for one in fields(self)}


def measure(
    values: Array, mask: Array, factors: tuple[int, ...], *, scale: Array | None = None, seed: int = 0
) -> Measures:
    """Measures of an image: `values` (C, *axes) and bool `mask` on one grid, whose cells are `factors` cells of the image.

    `scale` is the value that becomes 1; without one, the 99th percentile inside the mask of each channel.
    Raises SlideError (E_DEGENERATE) for an empty mask, negative values, or a channel without positive ones.
    """
    where = np.argwhere(mask)
    if len(where) < LEAST:
        raise SlideError("the mask of the image is empty: there is nothing to harmonize.", "E_DEGENERATE")
    inside = values[:, mask].astype(np.float32)
    scale = np.percentile(inside, SCALE_PERCENTILE, axis=1).astype(np.float32) if scale is None else scale
    below = float((inside < 0).mean())
    if below > MOST_BELOW:
        raise SlideError(
            f"{below:.0%} of the values inside the mask are negative: intensities begin at 0 here, and what is below would be "
            "lost. Use images that are not standardised, or shift them.",
            "E_DEGENERATE",
        )
    if not (scale > 0).all():
        raise SlideError(
            f"the 99th percentile inside the mask is {float(scale.min()):g}: values must be positive to be harmonized.",
            "E_DEGENERATE",
        )
    inside /= scale[:, None]
    low, high = where.min(0), where.max(0) + 1
    centre, half = (low + high) / 2, (high - low) / 2
    positions = ((where + 0.5 - centre) / half).astype(np.float32)
    axes = mask.ndim
    draw = numpy_generator(seed, "measures")
    if axes == 3:
        block = np.clip(((positions + 1) / 2 * BLOCKS).astype(np.int64), 0, BLOCKS - 1)
        number = block @ BLOCKS ** np.arange(3)
        order = np.argsort(number, kind="stable")
        members = np.split(order, np.searchsorted(number[order], np.arange(1, BLOCKS**3)))
        picks = np.stack([_picked(cells, VALUES, draw) for cells in members])
        counts = np.array([len(cells) for cells in members])
    else:
        picks, counts = _picked(np.arange(len(where)), FLAT_VALUES, draw)[None], np.array([len(where)])
    chosen = np.moveaxis(inside[:, picks], 0, -1) * (counts >= LEAST)[:, None, None]
    thumbnail, covered = _thumbnail(values, mask, scale) if axes == 3 else (np.zeros(0, np.float32), np.zeros(0, bool))
    grow = np.array(factors)
    return Measures(
        scale,
        np.median(inside, axis=1),
        centre * grow,
        half * grow,
        chosen.astype(np.float32),
        positions[picks],
        counts,
        thumbnail,
        covered,
    )


def _picked(cells: Array, count: int, draw: np.random.Generator) -> Array:
    if len(cells) < LEAST:
        return np.zeros(count, np.int64)
    return draw.choice(cells, count, replace=len(cells) < count)


def _thumbnail(values: Array, mask: Array, scale: Array) -> tuple[Array, Array]:
    import torch
    from torch.nn.functional import adaptive_avg_pool3d

    where = [np.flatnonzero(mask.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    box = tuple(slice(w[0], w[-1] + 1) for w in where)
    inside = torch.from_numpy(np.ascontiguousarray(mask[box], np.float32))[None]
    picture = torch.from_numpy(np.ascontiguousarray(values[(slice(None), *box)], np.float32)) * inside
    share = adaptive_avg_pool3d(inside, THUMBNAIL)
    means = (
        adaptive_avg_pool3d(picture, THUMBNAIL) / share.clamp(min=0.3) / torch.from_numpy(scale)[:, None, None, None]
    )
    covered = share[0] > 0.3
    return (means * covered).numpy(), covered.numpy()

"""Blend: a unit of a plan whose tiles do not agree where they overlap: the weighted mean of all tiles that cover a cell.

```text
 |hhh|wwwwwwww|hhh|           weights rise across the halo and fall again
         |hhh|wwwwwwww|hhh|   a cell gets sum(w y) / sum(w), and the tiles' disagreement is kept
```
For networks whose receptive field is larger than the halo that one can afford. All tiles of an image lie on one grid, so the
result does not depend on units or workers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...stores.frame import Array, Box
from ...stores.slides.view import read_masked
from ...stores.source import Source
from ..pipeline.unit import Outcome
from .mask import Mask
from .plan import Plan
from .samplers import grid, within

WholeTile = Callable[[Array], Array]
"""A batch of tiles (B, C, *read) -> results of the same shape, halo included."""


def blend(plan: Plan, unit: Box, *, tile: int, mask: Mask, compute: WholeTile) -> Outcome:
    """Do one unit and write its layers; cells without a tile are zero.

    `facts` holds `tiles`, and of cells that several tiles cover, the mean and largest standard deviation between them.
    """
    outcome = Outcome()
    (name, (channels, _)) = next(iter(plan.model.outputs.items()))
    halo = plan.model.halo
    frame = plan.source.frames[plan.level].box
    grown = Box(
        tuple(a - h for a, h in zip(unit.start, halo, strict=True)),
        tuple(b + h for b, h in zip(unit.stop, halo, strict=True)),
    )
    tiles = within(grid(grown & frame, (tile,) * len(halo), halo), mask, share=1e-9)
    total = np.zeros((channels, *unit.shape))
    squares, weights = np.zeros(unit.shape), np.zeros(unit.shape)
    covered = np.zeros(unit.shape, np.int32)
    window = _window(tuple(tiles.shape), halo)
    for one in tiles:
        box = one.read & unit
        if not box.size:
            continue
        with outcome.clock("read"):
            pixels = padded(plan.source, one.read, plan.level)
        with outcome.clock("compute"):
            result = compute(pixels[None])[0]
            take = box.shift([-a for a in one.read.start]).slices
            into = box.shift([-a for a in unit.start]).slices
            part, weight = result[(slice(None), *take)], window[take]
            total[(slice(None), *into)] += weight * part
            squares[into] += weight * np.square(part, dtype=np.float64).mean(0)
            weights[into] += weight
            covered[into] += 1
    mean = total / np.maximum(weights, 1e-12)
    several = covered > 1
    spread = np.sqrt(np.maximum(squares / np.maximum(weights, 1e-12) - np.square(mean).mean(0), 0))[several]
    with outcome.clock("write"):
        layer = plan.layers[name]
        for box in unit.cut(layer.chunks):
            slices = box.shift([-a for a in unit.start]).slices
            outcome.files += layer.write(box, mean[(slice(None), *slices)].astype(np.float32))
    outcome.facts["tiles"] = len(tiles)
    outcome.facts["disagreement"] = [float(spread.mean()), float(spread.max())] if spread.size else [0.0, 0.0]
    return outcome


def _window(shape: tuple[int, ...], halo: tuple[int, ...]) -> Array:
    """Weights of a tile's cells: 1 in its middle, falling to its ends across twice the halo."""
    window: Array = np.ones(())
    for n, h in zip(shape, halo, strict=True):
        distance = np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5
        window = np.multiply.outer(window, np.minimum(1.0, distance / max(1, 2 * h)))
    return window


def padded(source: Source, box: Box, level: int = 0) -> Array:
    """Cells of a box, background beyond the frame: (C, *box.shape)."""
    inside = box & source.frames[level].box
    pixels = np.full((source.channels, *box.shape), source.background, source.dtype)
    pixels[(slice(None), *inside.shift([-a for a in box.start]).slices)] = read_masked(source, inside, level)[0]
    return pixels

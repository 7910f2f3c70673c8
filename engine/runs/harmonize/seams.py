"""seams: how far tiles agree: three figures of every image, in the middle of its mask.

```text
overlap     two tiles, half a tile apart: largest difference of the cells that both have
shift       the same cells once more from a grid of tiles that is moved by the least step
gradient    mean |difference| of neighbours across the borders of tiles / elsewhere, less the same of the image itself
```
The first two are in units of the image's scale, about its range.
"""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array, Box
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.convert.tissue import tissue
from ...tiling.stitch import cells_of
from .apply import TILES, Generator, generator_of, network_of
from .measure import measures_of, units_of
from .settings import HarmonizeSettings
from .version import version_image

SEAMS = "seams"
"""Name of the step; the report finds its receipts by this name."""
SIDES = {2: 128, 3: 32}
"""Axes -> side of the tiles that are compared, at most: agreement does not depend on it."""
FIGURES = ("overlap", "shift", "gradient")


def measure_seams(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Measure the seams of one image's version; the figures are facts of the unit."""
    outcome = Outcome()
    model, mask = generator_of(job, unit.slide), tissue(job, unit.slide)
    side = job.settings.tile or TILES[mask.values.ndim]
    inside = np.argwhere(mask.values)
    middle = (inside.min(0) + inside.max(0) + 1) / 2 * mask.ratio if len(inside) else np.zeros(mask.values.ndim)
    corner = np.maximum(np.round(middle / side).astype(np.int64), 0) * side
    small, step = min(side, SIDES[len(corner)]), model.field.stride
    half = small // 2 // step * step
    first_cell = np.maximum(np.round((middle - small) / step).astype(np.int64), 0) * step
    with outcome.clock("compute"):
        first = _tile(job, model, first_cell, small)
        overlap = _difference(first, _tile(job, model, first_cell + half, small))
        shift = _difference(first, _tile(job, model, first_cell + step, small))
    with outcome.clock("read"):
        gradient = _gradient(job, unit.slide, corner, side)
    outcome.facts |= {"overlap": overlap, "shift": shift, "gradient": gradient}
    return outcome


def seams_of(job: Job[HarmonizeSettings], image: str) -> dict[str, float]:
    """The figures of an image, from the receipt of its unit; empty where there is none."""
    receipt = Ledger(job.folder.out, SEAMS, job.ledger_key(SEAMS, image)).find(f"{image}/{SEAMS}")
    return {name: float(receipt.facts[name]) for name in FIGURES} if receipt else {}


def _tile(job: Job[HarmonizeSettings], model: Generator, start: Array, side: int) -> tuple[Box, Array]:
    """The cells of one tile inside the image, and their result (C, *axes) in units of the scale."""
    network = network_of(job, model)
    ends = Box((0,) * len(start), tuple(-(-n // network.step) * network.step for n in model.source.frames[0].shape))
    write = Box(tuple(start.tolist()), tuple((start + side).tolist())) & ends
    read = write.grow((network.around,) * len(start)) & ends
    result = network.of(cells_of(model.source, read)[0][None])[0]
    return write, np.asarray(result[(slice(None), *write.shift([-a for a in read.start]).slices)])


def _difference(first: tuple[Box, Array], second: tuple[Box, Array]) -> float:
    """Largest difference of two tiles where they overlap."""
    both = first[0] & second[0]
    a, b = (values[(slice(None), *both.shift([-c for c in box.start]).slices)] for box, values in (first, second))
    return float(np.abs(a - b).max(initial=0.0))


def _gradient(job: Job[HarmonizeSettings], image: str, corner: Array, side: int) -> float:
    """Ratio on the borders of tiles less the same ratio of the image, over a box of two tiles a side."""
    units = units_of(job, measures_of(job, image))
    version, own = version_image(job, image), job.stored(image)
    box = Box(tuple((corner - side).tolist()), tuple((corner + side).tolist())) & own.frames[0].box
    return _ratio(units.of(version.read(box)), corner - box.start) - _ratio(units.of(own.read(box)), corner - box.start)


def _ratio(values: Array, border: Array) -> float:
    """Mean |difference| across `border` (axes,) over the mean elsewhere; 1 for a box without a border inside, or a flat one."""
    across, elsewhere = [], []
    for axis, at in enumerate(border.tolist(), 1):
        steps = np.abs(np.diff(values, axis=axis))
        if not 0 < at < values.shape[axis]:
            continue
        across.append(float(np.take(steps, at - 1, axis).mean()))
        elsewhere.append(float(np.delete(steps, at - 1, axis).mean()))
    rest = float(np.mean(elsewhere)) if elsewhere else 0.0
    return float(np.mean(across)) / rest if rest > 0 else 1.0

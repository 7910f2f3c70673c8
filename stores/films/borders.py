"""Borders of films: constant frames, and those of a collimator, outside of the exposed field; straight and upright ones only.

```text
cccccccccccc   c  constant lines: burnt-in borders, padding
c..........c   .  collimated lines: nearly even along their length, and ending in one straight edge
c.ffffffff.c   f  the exposed field
c.ffffffff.c
cccccccccccc
```
The dark edge of a lung is uneven along a line, or bends: it is no border. Turned collimators are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..frame import Array, Box

CONSTANT_STEP = 3 / 255
"""Distance of the values of a constant line from their median, at most: JPEG leaves such."""
CONSTANT_SHARE = 0.99
"""Share of a constant line's pixels, at least, within that distance: letters and markers may stand in it."""
EVEN_SPREAD = 0.1
"""Between the 2nd and 98th percentiles of a collimated line, at most."""
EDGE_STEP, EDGE_SHARE = 0.08, 0.9
"""Difference across an edge, at least, and the share of its length that must have it."""
MIN_KEPT_SHARE = 0.2
"""Share of a film that is left, at least; where borders would take more, none is believed."""
MAX_SAMPLES = 512
"""Pixels of a line that are looked at."""
_EVEN_PERCENTILES = (2, 98)
_BLOCK = 32
"""Lines that are looked at before the next ones are: most films have no border."""


@dataclass(frozen=True, slots=True)
class ExposedBox:
    """The exposed part of a film."""

    box: Box
    """(y, x) of the pixels inside the borders; the whole film where no border is sure."""
    border_share: float = 0.0
    """Share of the film that is border."""
    note: str = ""
    """What the borders take; empty where there are none."""


def exposed_box(values: Array) -> ExposedBox:
    """The field of a film (y, x) with values in [0, 1] inside its borders."""
    whole = Box((0, 0), values.shape)
    inner = _inside_constant(values, whole)
    inner = _inside_edges(values, inner)
    share = 1 - inner.size / whole.size if whole.size else 0.0
    if 1 - share < MIN_KEPT_SHARE:
        return ExposedBox(whole, 0.0, f"borders would take {share:.1%} of it, and none is believed")
    if not share:
        return ExposedBox(whole)
    rows, columns = (f"{a} to {b}" for a, b in zip(inner.start, inner.stop, strict=True))
    note = f"borders take {share:.1%} of it: rows {rows} and columns {columns} are exposed"
    return ExposedBox(inner, share, note)


def _inside_constant(values: Array, box: Box) -> Box:
    """A box without the constant lines on its four sides, which are looked for until none is left."""
    while box.size:
        runs = [_runs(_lines(values, box, axis), _constant) for axis in (0, 1)]
        smaller = _shrunk(box, runs)
        if smaller == box:
            break
        box = smaller
    return box


def _inside_edges(values: Array, box: Box) -> Box:
    """A box without the even lines on its sides that end in a straight edge."""
    if not box.size:
        return box
    runs = [_runs(_lines(values, box, axis), _even) for axis in (0, 1)]
    if not (inner := _shrunk(box, runs)).size:
        return box  # even everywhere
    edges = []
    for axis in (0, 1):
        across = 1 - axis
        start, stop = list(box.start), list(box.stop)
        start[across], stop[across] = inner.start[across], inner.stop[across]
        lines = _lines(values, Box(tuple(start), tuple(stop)), axis)
        before, behind = runs[axis]
        edges.append((_edge(lines, before), _edge(lines[::-1], behind)))
    return _shrunk(box, edges)


def _shrunk(box: Box, runs: Sequence[tuple[int, int]]) -> Box:
    start = tuple(min(a + run[0], b) for a, b, run in zip(box.start, box.stop, runs, strict=True))
    stop = tuple(max(b - run[1], a) for a, b, run in zip(start, box.stop, runs, strict=True))
    return Box(start, stop)


def _lines(values: Array, box: Box, axis: int) -> Array:
    """(line, sample) of the lines of a box across an axis."""
    inside = values[box.slices] if axis == 0 else values[box.slices].T
    return inside[:, :: max(1, inside.shape[1] // MAX_SAMPLES)]


def _constant(lines: Array) -> Array:
    level = np.median(lines, axis=1, keepdims=True)
    is_constant: Array = (np.abs(lines - level) <= CONSTANT_STEP).mean(axis=1) >= CONSTANT_SHARE
    return is_constant


def _even(lines: Array) -> Array:
    low, high = np.percentile(lines, _EVEN_PERCENTILES, axis=1)
    is_even: Array = high - low <= EVEN_SPREAD
    return is_even


def _runs(lines: Array, is_border: Callable[[Array], Array]) -> tuple[int, int]:
    """Border lines in a row at the beginning and at the end."""
    return _run(lines, is_border), _run(lines[::-1], is_border)


def _run(lines: Array, is_border: Callable[[Array], Array]) -> int:
    for start in range(0, len(lines), _BLOCK):
        others = np.flatnonzero(~is_border(lines[start : start + _BLOCK]))
        if len(others):
            return start + int(others[0])
    return len(lines)


def _edge(lines: Array, run: int) -> int:
    """The line behind the innermost straight edge among the first `run` lines; 0 where there is none.

    An edge is blurred: lines on both sides of it are compared at a distance.
    """
    gap = max(2, len(lines) // 100)
    last = min(run + gap, len(lines) - gap)
    if run < 1 or last <= gap:
        return 0
    places = np.arange(1, last)
    steps = lines[np.minimum(places + gap, len(lines) - 1)] - lines[np.maximum(places - 1 - gap, 0)]
    share = np.maximum((steps >= EDGE_STEP).mean(axis=1), (steps <= -EDGE_STEP).mean(axis=1))
    straight = np.flatnonzero(share >= EDGE_SHARE)
    if not len(straight):
        return 0
    breaks = np.flatnonzero(np.diff(straight) > 1)
    group = straight[breaks[-1] + 1 :] if len(breaks) else straight
    local = np.abs(np.median(lines[places[group]] - lines[places[group] - 1], axis=1))
    return int(places[group][int(np.argmax(local))])

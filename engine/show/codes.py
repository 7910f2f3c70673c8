"""codes: codes of whole volumes drawn: their plane, coloured by what is known of them, and what networks make of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import QUIET, RULE, house_style, new_figure, panel, save, shortened, write_inches
from .palette import colour

MARGIN, TOP, SIDE = 0.35, 1.0, 4.6
"""Inches around the figure, above the panels, along a panel."""
NAMED = 12
"""Values with a colour of their own; further ones are grey."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A volume as it went in and as it came out, both (z, y, x) in [0, 1]."""

    name: str
    rmse: float
    before: Array
    after: Array


@house_style()
def plane(path: Path, xy: Array, groups: Mapping[str, Array], *, title: str) -> Path:
    """Points (n, 2), once for each grouping that has two values or more, coloured by it."""
    told = {name: values for name, values in groups.items() if len(set(values.tolist()) - {""}) > 1}
    panels = list(told.items()) or [("", np.full(len(xy), ""))]
    figure = new_figure(2 * MARGIN + len(panels) * (SIDE + 1.6), TOP + SIDE + MARGIN)
    write_inches(figure, MARGIN, MARGIN - 0.05, title, fontsize=13, weight="bold")
    size = float(np.clip(9_000 / max(len(xy), 1), 4, 40))
    for i, (name, values) in enumerate(panels):
        left = MARGIN + i * (SIDE + 1.6)
        write_inches(
            figure, left, TOP - 0.27, f"by {name}" if name else f"{len(xy)} volumes", fontsize=10.5, color=QUIET
        )
        kinds = [k for k in sorted(set(values.tolist())) if k][:NAMED]
        axes = panel(figure, left, TOP, (SIDE, SIDE))
        rest = ~np.isin(values, kinds)
        axes.scatter(xy[rest, 0], xy[rest, 1], s=size, color=RULE, linewidths=0)
        for number, kind in enumerate(kinds, 1):
            mine = values == kind
            rgb = np.array(colour(number)) / 255
            axes.scatter(xy[mine, 0], xy[mine, 1], s=size, color=rgb, linewidths=0, alpha=0.85)
            text = f"{shortened(kind, 12)} ({int(mine.sum())})"
            write_inches(figure, left + SIDE + 0.12, TOP + 0.22 * (number - 1), text, fontsize=9, color=rgb)
        if rest.any() and kinds:
            text = f"unknown or other ({int(rest.sum())})"
            write_inches(figure, left + SIDE + 0.12, TOP + 0.22 * len(kinds), text, fontsize=9, color=QUIET)
        axes.set(xticks=[], yticks=[], gid=f"plane-{name}")
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set(visible=True, color=RULE)
    return save(figure, path)


@house_style()
def reconstructions(path: Path, pairs: Sequence[Pair], *, spacing: tuple[float, ...]) -> Path:
    """A column a volume: three middle planes, above as it went in, below as it came out."""
    wide, gap = 1.35, 0.06
    extents = [n * s for n, s in zip(pairs[0].before.shape, spacing, strict=True)]
    scale = wide / max(extents)
    high = max(extents) * scale
    across = 3 * (wide + gap) + 0.2
    columns = min(2, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = new_figure(2 * MARGIN + columns * across, MARGIN + 0.4 + rows * (2 * (high + gap) + 0.45))
    write_inches(figure, MARGIN, MARGIN - 0.05, "Volumes and their reconstructions", fontsize=13, weight="bold")
    for number, pair in enumerate(pairs):
        left = MARGIN + number % columns * across
        top = MARGIN + 0.45 + number // columns * (2 * (high + gap) + 0.45)
        said = f"{shortened(pair.name, 34)} · rmse {pair.rmse:.1%}"
        write_inches(figure, left, top - 0.05, said, fontsize=9, color=QUIET)
        for line, volume in enumerate((pair.before, pair.after)):
            for axis in range(3):
                cut = np.take(volume, volume.shape[axis] // 2, axis)[::-1]
                size = [e * scale for i, e in enumerate(extents) if i != axis]
                place = (left + axis * (wide + gap), top + 0.14 + line * (high + gap))
                axes = panel(figure, *place, (size[1], size[0]))
                axes.imshow(cut, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="antialiased")
                axes.axis("off")
    return save(figure, path)

"""volume_plane: the embeddings of whole volumes in the plane, coloured by columns of the user's list: classes, or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .figure import (
    HAIRLINE_COLOUR,
    MARGIN,
    QUIET_INK,
    house_style,
    new_figure,
    panel,
    save,
    write_inches,
    write_title,
)
from .numbers import number
from .palette import colour
from .short_names import distinct_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_TOP, PANEL_SIDE, KEY_WIDTH, PANEL_GAP, COLUMNS = 1.0, 4.3, 1.7, 0.55, 2
"""Inches above the first panels, along a panel, of its key, and between rows of panels; panels in a row."""
MAX_VALUES_COLOURED = 12
"""Values with a colour of their own; further ones are grey."""
NUMBER_COLOURS = "viridis"
"""Name of the colours of numbers, from low to high."""
BAR_WIDTH, BAR_HEIGHT = 0.14, 2.0
"""Inches of the bar that says which colour is which number."""


@house_style()
def volume_plane(path: Path, xy: Array, groups: Mapping[str, Array], *, title: str) -> Path:
    """Points (n, 2), once for each column that has two values or more, coloured by it.

    A column of text (n,) has a colour for each of its values, "" where unknown; one of floats has a bar, NaN where unknown.
    """
    informative = {name: values for name, values in groups.items() if len(_stated_values(values)) > 1}
    panels = list(informative.items()) or [("", np.full(len(xy), ""))]
    rows, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    height = PANEL_TOP + rows * (PANEL_SIDE + PANEL_GAP) - PANEL_GAP + MARGIN
    figure = new_figure(2 * MARGIN + columns * (PANEL_SIDE + KEY_WIDTH), height)
    write_title(figure, title)
    for i, (name, values) in enumerate(panels):
        left = MARGIN + i % COLUMNS * (PANEL_SIDE + KEY_WIDTH)
        top = PANEL_TOP + i // COLUMNS * (PANEL_SIDE + PANEL_GAP)
        heading = f"by {name}" if name else f"{len(xy)} volumes"
        write_inches(figure, left, top - 0.27, heading, fontsize=10.5, color=QUIET_INK)
        axes = panel(figure, left, top, (PANEL_SIDE, PANEL_SIDE))
        draw = _draw_numbers if values.dtype.kind == "f" else _draw_classes
        draw(figure, axes, (left + PANEL_SIDE + 0.12, top), xy, values)
        axes.set(xticks=[], yticks=[], gid=f"plane-{name}")
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set(visible=True, color=HAIRLINE_COLOUR)
    return save(figure, path)


def _draw_classes(figure: Figure, axes: Axes, key: tuple[float, float], xy: Array, values: Array) -> None:
    """The points by class, with the classes and their numbers at `key`, inches from the upper left."""
    coloured_values = _stated_values(values)[:MAX_VALUES_COLOURED]
    short = distinct_names(coloured_values, 15)
    grey_points = ~np.isin(values, coloured_values)
    axes.scatter(xy[grey_points, 0], xy[grey_points, 1], s=_size(xy), color=HAIRLINE_COLOUR, linewidths=0)
    for i, value in enumerate(coloured_values):
        members = values == value
        rgb = np.array(colour(i + 1)) / 255
        axes.scatter(xy[members, 0], xy[members, 1], s=_size(xy), color=rgb, linewidths=0, alpha=0.85)
        write_inches(figure, key[0], key[1] + 0.22 * i, f"{short[value]} ({int(members.sum())})", fontsize=9, color=rgb)
    if grey_points.any() and coloured_values:
        text = f"unknown or other ({int(grey_points.sum())})"
        write_inches(figure, key[0], key[1] + 0.22 * len(coloured_values), text, fontsize=9, color=QUIET_INK)


def _draw_numbers(figure: Figure, axes: Axes, key: tuple[float, float], xy: Array, values: Array) -> None:
    """The points by a number, with a bar of its range at `key`; those without a number are grey, and counted."""
    known = np.isfinite(values)
    low, high = float(values[known].min()), float(values[known].max())
    axes.scatter(xy[~known, 0], xy[~known, 1], s=_size(xy), color=HAIRLINE_COLOUR, linewidths=0)
    x, y = xy[known].T
    axes.scatter(x, y, s=_size(xy), c=values[known], cmap=NUMBER_COLOURS, vmin=low, vmax=high, linewidths=0)
    bar = panel(figure, *key, (BAR_WIDTH, BAR_HEIGHT))
    bar.imshow(np.linspace(1, 0, 256)[:, None], cmap=NUMBER_COLOURS, vmin=0, vmax=1, aspect="auto")
    bar.set(xticks=[], yticks=[], gid="bar")
    for share, value in ((0.0, high), (0.5, (low + high) / 2), (1.0, low)):
        place = key[1] + share * BAR_HEIGHT
        write_inches(figure, key[0] + BAR_WIDTH + 0.08, place, number(value), fontsize=9, va="center")
    if not known.all():
        text = f"unknown ({int((~known).sum())})"
        write_inches(figure, key[0], key[1] + BAR_HEIGHT + 0.16, text, fontsize=9, color=QUIET_INK)


def _size(xy: Array) -> float:
    """Area of a point: many points are small."""
    return float(np.clip(9_000 / max(len(xy), 1), 4, 40))


def _stated_values(values: Array) -> list[str]:
    """The values of a column, sorted; of numbers those that are finite."""
    if values.dtype.kind == "f":
        return [str(value) for value in np.unique(values[np.isfinite(values)])]
    return sorted({str(value) for value in values} - {""})

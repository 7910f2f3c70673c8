"""legend: names of the clusters and their shares of the tissue, drawn the same way on every picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .figure import INK, QUIET_INK, draw_swatch, shortened, write_inches
from .numbers import percent
from .palette import colour, hexadecimal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_HEIGHT, COLUMN_WIDTH = 0.27, 2.45
"""Inches from row to row and from column to column."""


class LegendEntry(NamedTuple):
    """One cluster of a legend, by name; plain tuples (label, name, share) serve as well."""

    label: int
    """The cluster's number, from 1."""
    name: str
    """Its name for display."""
    share: float
    """Its part of the labelled tiles shown, 0 to 1; NaN where there are none."""


Legend = Sequence[tuple[int, str, float]]
"""One entry a cluster: (label, name, share)."""


def legend_size(legend: Legend, height: float) -> tuple[float, float]:
    """Inches (width, height) that the legend needs where `height` inches are free."""
    rows = _rows(len(legend), height)
    return COLUMN_WIDTH * max(1, math.ceil(len(legend) / rows)), ROW_HEIGHT * min(rows, max(1, len(legend)))


def draw_legend(figure: Figure, left: float, top: float, *, legend: Legend, height: float) -> None:
    """A swatch, the name and the share of each cluster, in as many columns as `height` inches ask for."""
    rows = _rows(len(legend), height)
    for i, (label, name, share) in enumerate(legend):
        x, y = left + COLUMN_WIDTH * (i // rows), top + ROW_HEIGHT * (i % rows + 0.5)
        draw_swatch(figure, x, y - 0.085, (0.17, 0.17), colour=hexadecimal(colour(label)))
        style = {"va": "center", "color": INK if share > 0 else QUIET_INK, "fontsize": 10, "gid": "legend"}
        write_inches(figure, x + 0.27, y, shortened(name, 19), **style)
        write_inches(figure, x + COLUMN_WIDTH - 0.2, y, percent(share), ha="right", **style)


def _rows(entries: int, height: float) -> int:
    return max(1, min(entries, max(8, int(height / ROW_HEIGHT), -(-entries // 4))))

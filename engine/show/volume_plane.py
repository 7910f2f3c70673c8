"""volume_plane: the embeddings of whole volumes in the plane, coloured by columns of the user's list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
    shortened,
    write_inches,
    write_title,
)
from .palette import colour

PANEL_TOP, PANEL_SIDE = 1.0, 4.6
"""Inches above the panels, and along a panel."""
MAX_VALUES_COLOURED = 12
"""Values with a colour of their own; further ones are grey."""


@house_style()
def volume_plane(path: Path, xy: Array, groups: Mapping[str, Array], *, title: str) -> Path:
    """Points (n, 2), once for each grouping that has two values or more, coloured by it."""
    informative = {name: values for name, values in groups.items() if len(set(values.tolist()) - {""}) > 1}
    panels = list(informative.items()) or [("", np.full(len(xy), ""))]
    figure = new_figure(2 * MARGIN + len(panels) * (PANEL_SIDE + 1.6), PANEL_TOP + PANEL_SIDE + MARGIN)
    write_title(figure, title)
    size = float(np.clip(9_000 / max(len(xy), 1), 4, 40))
    for i, (name, values) in enumerate(panels):
        left = MARGIN + i * (PANEL_SIDE + 1.6)
        write_inches(
            figure,
            left,
            PANEL_TOP - 0.27,
            f"by {name}" if name else f"{len(xy)} volumes",
            fontsize=10.5,
            color=QUIET_INK,
        )
        coloured_values = [k for k in sorted(set(values.tolist())) if k][:MAX_VALUES_COLOURED]
        axes = panel(figure, left, PANEL_TOP, (PANEL_SIDE, PANEL_SIDE))
        grey_points = ~np.isin(values, coloured_values)
        axes.scatter(xy[grey_points, 0], xy[grey_points, 1], s=size, color=HAIRLINE_COLOUR, linewidths=0)
        for number, value in enumerate(coloured_values, 1):
            members = values == value
            rgb = np.array(colour(number)) / 255
            axes.scatter(xy[members, 0], xy[members, 1], s=size, color=rgb, linewidths=0, alpha=0.85)
            text = f"{shortened(value, 12)} ({int(members.sum())})"
            write_inches(figure, left + PANEL_SIDE + 0.12, PANEL_TOP + 0.22 * (number - 1), text, fontsize=9, color=rgb)
        if grey_points.any() and coloured_values:
            text = f"unknown or other ({int(grey_points.sum())})"
            write_inches(
                figure,
                left + PANEL_SIDE + 0.12,
                PANEL_TOP + 0.22 * len(coloured_values),
                text,
                fontsize=9,
                color=QUIET_INK,
            )
        axes.set(xticks=[], yticks=[], gid=f"plane-{name}")
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set(visible=True, color=HAIRLINE_COLOUR)
    return save(figure, path)

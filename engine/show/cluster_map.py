"""cluster_map: the slide beside the slide coloured by cluster.

```text
title                                     A panel's pixels are dots of the PNG, whole factors of the picture's,
Slide         Clusters        legend      so edges of tiles are crisp; both are placed by micrometres.
+---------+   +---------+     # name  %   Panels stand one above the other where the slide is much wider than high.
|         |   |         |     # name  %
+---------+   +---------+
|--- 1 mm
```
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .colouring import coloured
from .figure import (
    DPI,
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    house_style,
    new_figure,
    save,
    shortened,
    write_inches,
    write_title,
)
from .legend import Legend, draw_legend, legend_size
from .map_panels import PANEL_GAP, draw_framed, write_no_tissue
from .orientation import draw_letters
from .picture import Cells, Picture
from .scale_bar import draw_scale_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADING_HEIGHT, SCALE_BAR_HEIGHT = 0.3, 0.5
"""Inches for the heading above a panel, and for the scale bar below."""
MAX_PANEL_DOTS = 1100
"""Largest number of dots along a panel's longer side."""


def cluster_map(
    path: Path, picture: Picture, cells: Cells, *, legend: Legend, title: str, heading: str = "Slide"
) -> Path:
    """Write the slide beside the slide coloured by cluster, as PNG, with legend and scale bar."""
    return save(cluster_figure(picture, cells, legend=legend, title=title, heading=heading), path)


@house_style()
def cluster_figure(picture: Picture, cells: Cells, *, legend: Legend, title: str, heading: str = "Slide") -> Figure:
    """The figure of `cluster_map`; its axes carry the gids slide, clusters, scale and legend."""
    panel_picture = picture.fitted(MAX_PANEL_DOTS)
    height, width = (n / DPI for n in panel_picture.rgb.shape[:2])
    stacked = width > 2.2 * height
    slot = max(width, 1.3)
    total_width = slot if stacked else 2 * slot + PANEL_GAP
    total_height = (
        2 * (height + HEADING_HEIGHT) + PANEL_GAP / 3 if stacked else height + HEADING_HEIGHT
    ) + SCALE_BAR_HEIGHT
    entries = legend if (cells.labels > 0).any() else ()
    key_width, key_height = (
        legend_size(entries, total_height - SCALE_BAR_HEIGHT - HEADING_HEIGHT) if entries else (-PANEL_GAP, 0.0)
    )
    top = MARGIN + TITLE_HEIGHT
    figure = new_figure(
        2 * MARGIN + total_width + PANEL_GAP + key_width,
        top + max(total_height, HEADING_HEIGHT + key_height) + MARGIN - 0.1,
    )
    write_title(figure, shortened(title, int((total_width + PANEL_GAP + key_width) * 7)), fontsize=15)

    second = (MARGIN, top + HEADING_HEIGHT + height + PANEL_GAP / 3) if stacked else (MARGIN + slot + PANEL_GAP, top)
    for (left, edge), rgb, name in (
        ((MARGIN, top), panel_picture.rgb, heading),
        (second, coloured(panel_picture, cells), "Clusters"),
    ):
        write_inches(figure, left, edge + 0.03, name, fontsize=10.5, color=QUIET_INK)
        draw_framed(figure, left, edge + HEADING_HEIGHT, (width, height), rgb=rgb, gid=name.lower())
        draw_letters(figure, left, edge + HEADING_HEIGHT, (width, height), letters=panel_picture.letters)
    if not (cells.labels > 0).any():
        write_no_tissue(figure, second[0] + width / 2, second[1] + HEADING_HEIGHT + height / 2)
    draw_scale_bar(
        figure,
        (MARGIN, top + total_height - SCALE_BAR_HEIGHT + 0.14),
        micrometres=panel_picture.spacing * DPI,
        room=(slot, max(width, height)),
    )
    key = (MARGIN + total_width + PANEL_GAP, top + HEADING_HEIGHT)
    if entries:
        write_inches(
            figure,
            key[0],
            top + 0.03,
            "Share of tiles" if picture.dark else "Share of tissue tiles",
            fontsize=10.5,
            color=QUIET_INK,
        )
        draw_legend(figure, *key, legend=entries, height=total_height - SCALE_BAR_HEIGHT - HEADING_HEIGHT)
    return figure

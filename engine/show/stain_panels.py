"""stain_panels: the clusters of a block and its picture in each stain, side by side at one scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, draw_pixels, house_style, new_figure, save, shortened, write_inches, write_title
from .legend import Legend
from .palette import colour
from .picture import Cells, Picture

PANEL_WIDTH = 3.2
MAX_COLUMNS = 3


@house_style()
def draw_stains(
    path: Path,
    picture: Picture,
    cells: Cells,
    panels: Sequence[tuple[str, Array | None]],
    *,
    legend: Legend,
    title: str,
) -> Path:
    """The clusters first, then the picture (y, x, 3) of each stain; a missing one is said."""
    clusters = np.full(picture.rgb.shape, 255, np.uint8)
    labels = cells.over(picture)
    for number, _, _ in legend:
        clusters[labels == number] = colour(number)
    shown: list[tuple[str, Array | None]] = [("Clusters", clusters), *panels]
    columns = min(MAX_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    height = PANEL_WIDTH * picture.rgb.shape[0] / picture.rgb.shape[1]
    figure = new_figure(2 * MARGIN + columns * (PANEL_WIDTH + 0.15), 2 * MARGIN + 0.4 + rows * (height + 0.35))
    write_title(figure, shortened(title, 70))
    for n, (name, rgb) in enumerate(shown):
        left, top = MARGIN + n % columns * (PANEL_WIDTH + 0.15), MARGIN + 0.4 + n // columns * (height + 0.35)
        text = name if rgb is not None else f"{name}: missing"
        write_inches(figure, left, top, shortened(text, 44), fontsize=9, color=QUIET_INK)
        if rgb is not None:
            draw_pixels(figure, left, top + 0.22, (PANEL_WIDTH, height), rgb=rgb, gid=f"{title}-{n}", smooth=True)
    return save(figure, path)

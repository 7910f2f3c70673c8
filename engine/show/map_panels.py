"""map_panels: frames of the panels of cluster and density maps, and the text on a panel without tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...stores.frame import Array
from .figure import draw_pixels, draw_rectangle, write_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_GAP = 0.3
"""Inches between panels."""
FRAME_COLOUR = "#c8ccd0"


def draw_framed(figure: Figure, left: float, top: float, size: tuple[float, float], *, rgb: Array, gid: str) -> None:
    """An image in a thin frame, at (left, top) inches; `gid` names it in the figure."""
    draw_pixels(figure, left, top, size, rgb=rgb, gid=gid)
    draw_rectangle(figure, left, top, size, fill=False, edgecolor=FRAME_COLOUR, linewidth=0.6)


def write_no_tissue(figure: Figure, centre: float, middle: float) -> None:
    """Text at (centre, middle) inches on a map without tissue."""
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": FRAME_COLOUR, "alpha": 0.92}
    write_inches(figure, centre, middle, "no tissue found", fontsize=11, ha="center", va="center", bbox=box)

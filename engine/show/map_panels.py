"""map_panels: frames of the panels of cluster and density maps, and the text on a panel without tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figure import write_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_GAP = 0.3
"""Inches between panels."""
FRAME_COLOUR = "#c8ccd0"


def draw_frame(axes: Axes, *, gid: str) -> None:
    """A thin frame around a picture, without ticks; `gid` names the axes in the figure."""
    axes.set(xticks=[], yticks=[], gid=gid)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FRAME_COLOUR, linewidth=0.6)


def write_no_tissue(figure: Figure, centre: float, middle: float) -> None:
    """Text at (centre, middle) inches on a map without tissue."""
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": FRAME_COLOUR, "alpha": 0.92}
    write_inches(figure, centre, middle, "no tissue found", fontsize=11, ha="center", va="center", bbox=box)

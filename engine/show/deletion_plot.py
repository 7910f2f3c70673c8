"""deletion_plot: the probability of the class that is named while cells are deleted, those of most evidence first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, write_title

COLOURS = ("#d55e00", "#6a6f76", "#0072b2")


@house_style()
def deletion_plot(path: Path, shares: Sequence[float], curves: Mapping[str, Array]) -> Path:
    """The mean of the curves (images, shares) of each order of deletion, and each curve behind it."""
    figure = new_figure(6.2, 3.6 + TITLE_HEIGHT)
    write_title(figure, "What the site depends on")
    axes = panel(figure, MARGIN + 0.55, MARGIN + TITLE_HEIGHT, (5.0, 2.7))
    for colour, (name, values) in zip(COLOURS, curves.items(), strict=False):
        axes.plot(shares, np.asarray(values).T, color=colour, linewidth=0.6, alpha=0.3)
        axes.plot(shares, np.mean(values, 0), color=colour, label=name)
    axes.set(ylim=(0, 1.02), xlim=(0, max(shares)))
    axes.set_xlabel("share of the image that is deleted", color=QUIET_INK, fontsize=9)
    axes.set_ylabel("probability of the site", color=QUIET_INK, fontsize=9)
    axes.grid(axis="y", color="#eceef0", linewidth=0.8)
    axes.legend(loc="lower left")
    axes.set_gid("deletion")
    return save(figure, path)

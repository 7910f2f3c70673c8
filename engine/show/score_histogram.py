"""score_histogram: how the values of a score are spread over groups of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, write_title

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#6a6f76")
BINS = 40
OUTER = 0.5
"""Percent of all values beyond either end of the axis, at most: single values would squeeze the others."""


@house_style()
def score_histogram(path: Path, scores: Mapping[str, Mapping[str, Array]]) -> Path:
    """One panel for each score; a line for each group, the share of the group's images in each bin."""
    columns = min(3, max(1, len(scores)))
    lines = -(-len(scores) // columns)
    width, height, gap_x, gap_y, top = 3.1, 1.7, 0.6, 0.85, MARGIN + TITLE_HEIGHT + 0.3
    figure = new_figure(2 * MARGIN + 0.4 + columns * (width + gap_x), top + lines * (height + gap_y) + MARGIN)
    write_title(figure, "Scores")
    for i, (name, groups) in enumerate(scores.items()):
        left, down = MARGIN + 0.4 + (i % columns) * (width + gap_x), top + (i // columns) * (height + gap_y)
        axes = panel(figure, left, down, (width, height))
        values = np.concatenate([v[np.isfinite(v)] for v in groups.values()] or [np.zeros(0)])
        if len(values):
            low, high = np.percentile(values, [OUTER, 100 - OUTER])
            edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
            for colour, (group, members) in zip(COLOURS, groups.items(), strict=False):
                counts, _ = np.histogram(np.clip(members[np.isfinite(members)], edges[0], edges[-1]), edges)
                axes.stairs(counts / max(1, counts.sum()), edges, color=colour, label=group, linewidth=1.4)
        axes.set_title(name.replace("_", " "))
        axes.set_yticks([])
        axes.ticklabel_format(axis="x", useOffset=False, style="plain")
        axes.set_xlabel("less like the training images →", color=QUIET_INK, fontsize=8)
        if i == 0:
            axes.legend(fontsize=8)
        axes.set_gid(f"scores-{name}")
    return save(figure, path)

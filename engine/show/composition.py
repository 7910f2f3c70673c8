"""composition: the share of each cluster in each slide, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import INK, MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, write_title
from .legend import Legend
from .palette import colour
from .short_names import distinct_names

MAX_SLIDES_NAMED = 60
"""Largest number of slides with names and figures; more slides are thin lines."""


@house_style()
def cluster_by_slide(path: Path, counts: Array, *, names: Sequence[str], legend: Legend, noun: str = "slide") -> Path:
    """Heat map of the shares of each slide, or other image by `noun`: one row a slide, one column a cluster.

    `counts` are tiles (cluster, slide).
    """
    clusters, slides = counts.shape
    totals = counts.sum(axis=0, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan).T  # a slide without tiles has none
    named = slides <= MAX_SLIDES_NAMED
    row = 0.3 if named else max(0.02, 18 / slides)
    column = 0.56 if clusters <= 25 else 0.3
    head = 2.3 if named else 0.4
    figure = new_figure(
        max(2 * MARGIN + head + clusters * column + 0.9, 6), 2 * MARGIN + TITLE_HEIGHT + 0.35 + slides * row
    )
    write_title(figure, f"Share of each cluster on each {noun}")
    axes = panel(figure, MARGIN + head, MARGIN + TITLE_HEIGHT + 0.35, (clusters * column, max(slides * row, 0.1)))
    peak = float(np.nanmax(shares, initial=0)) or 1.0
    image = axes.imshow(shares, cmap="YlGnBu", vmin=0, vmax=peak, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.set(gid="cluster-by-slide", yticks=range(slides) if named else [])
    axes.tick_params(length=0)
    if named:
        short = distinct_names(names, 30)
        axes.set_yticklabels([short[name] for name in names], color=INK)
        axes.set_yticks(np.arange(slides + 1) - 0.5, minor=True)
        axes.set_xticks(np.arange(clusters + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    axes.xaxis.tick_top()
    axes.set_xticks(range(clusters), [str(label) for label, _, _ in legend] if column > 0.5 else [""] * clusters)
    for tick, (label, _, _) in zip(axes.get_xticklabels(), legend, strict=True):
        tick.set(weight="bold", color=INK, bbox=_chip(colour(label)))
    if named and column > 0.5:
        for (s, c), share in np.ndenumerate(shares):
            ink = "white" if share > 0.55 * peak else (QUIET_INK if share == 0 else INK)
            text = "–" if np.isnan(share) else "·" if share == 0 else f"{share * 100:.0f}" if share >= 0.01 else "<1"
            axes.text(c, s, text, ha="center", va="center", fontsize=8.5, color=ink)
    bar_height = min(1.6, max(slides * row, 0.5))
    bar = panel(figure, MARGIN + head + clusters * column + 0.2, MARGIN + TITLE_HEIGHT + 0.35, (0.12, bar_height))
    figure.colorbar(image, cax=bar, format=lambda v, _: f"{v:.0%}")
    bar.spines[:].set_visible(False)
    bar.tick_params(length=0, labelsize=8)
    return save(figure, path)


def _chip(rgb: tuple[int, int, int]) -> dict[str, object]:
    """A tinted background behind a cluster's number."""
    tint = [0.55 + 0.45 * v / 255 for v in rgb]
    return {"boxstyle": "round,pad=0.25", "facecolor": tint, "edgecolor": "none"}

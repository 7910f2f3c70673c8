"""tile_plane: the tiles of a run laid out in the plane by UMAP, coloured by cluster and by slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .figure import (
    HAIRLINE_COLOUR,
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_swatch,
    house_style,
    new_figure,
    panel,
    save,
    write_inches,
    write_title,
)
from .legend import Legend
from .palette import colour
from .short_names import distinct_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACED_BY = {"umap": "UMAP", "pca": "principal components"}
"""Methods that place tiles in the plane, in words."""
MAX_SLIDES_NAMED = 19
"""Slides that the key names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class TilePoints:
    """Tiles laid out in the plane."""

    xy: Array
    """float (tile, 2)."""
    cluster: Array
    """int (tile,); 0 = none."""
    slide: Array
    """int (tile,); index into `slide_names`."""
    slide_names: tuple[str, ...]
    method: str = "umap"
    """Method that placed them: "umap" or "pca"."""
    noun: str = "slide"
    """What an image is called."""

    @property
    def placed_by(self) -> str:
        """The method in words."""
        return PLACED_BY[self.method]

    def sampled(self, count: int, *, seed: int) -> TilePoints:
        """At most `count` points in seeded random order, so that no cluster is drawn over all the others."""
        finite = np.flatnonzero(np.isfinite(self.xy).all(axis=1))
        rows = np.random.default_rng(seed).permutation(finite)[:count]
        return replace(self, xy=self.xy[rows], cluster=self.cluster[rows], slide=self.slide[rows])


def plane_caption(method: str) -> str:
    """What a picture of all tiles shows."""
    why = "" if method == "umap" else ", as there are too few different ones for a UMAP"
    return f"All tiles laid out by {PLACED_BY.get(method, method)}{why}"


@house_style()
def umap_plot(path: Path, points: TilePoints, *, legend: Legend = (), limit: int = 200_000, seed: int = 0) -> Path:
    """The tiles in the plane, coloured by cluster and by slide side by side; more than `limit` are sampled."""
    return save(umap_figure(points.sampled(limit, seed=seed), legend=legend, total=len(points.xy)), path)


@house_style()
def umap_figure(points: TilePoints, *, legend: Legend = (), total: int | None = None) -> Figure:
    """The figure of `umap_plot`, all points given."""
    side, top = 5.2, MARGIN + TITLE_HEIGHT + 0.3
    clustered = bool((points.cluster > 0).any())
    panels_width = (1 + clustered) * (side + 0.4) - 0.4
    figure = new_figure(2 * MARGIN + panels_width + 2.1, top + side + MARGIN)
    count = len(points.xy)
    note = f"{count:,} tiles" + (f" of {total:,}" if total and total > count else "")
    write_title(figure, f"{points.placed_by[0].upper()}{points.placed_by[1:]} of the tiles' embeddings")
    write_inches(figure, 2 * MARGIN + panels_width - 0.3, MARGIN, note, ha="right", fontsize=9, color=QUIET_INK)
    by_slide = _slide_colours(len(points.slide_names))
    tints = {label: np.array(colour(label)) / 255 for label in map(int, np.unique(points.cluster)) if label > 0}
    cluster_rgb = np.array([tints.get(int(c), (0.8, 0.8, 0.8)) for c in points.cluster]).reshape(-1, 3)
    slide_rgb = by_slide[points.slide] if count else np.zeros((0, 3))
    size = float(np.clip(30_000 / max(count, 1), 0.35, 14))
    panels = (("by cluster", cluster_rgb), (f"by {points.noun}", slide_rgb))
    for i, (name, rgb) in enumerate(panels if clustered else panels[1:]):
        left = MARGIN + i * (side + 0.4)
        write_inches(figure, left, top - 0.27, name, fontsize=10.5, color=QUIET_INK)
        axes = panel(figure, left, top, (side, side))
        axes.scatter(points.xy[:, 0], points.xy[:, 1], s=size, c=rgb, linewidths=0, alpha=0.8, rasterized=True)
        axes.set(xticks=[], yticks=[], gid=f"umap-{name.split()[-1]}")
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set(visible=True, color=HAIRLINE_COLOUR)
        if clustered and i == 0:
            for label in tints:
                _number(axes, np.median(points.xy[points.cluster == label], axis=0), label)
    _slide_key(
        figure, (MARGIN + panels_width + 0.2, top + 0.05), names=points.slide_names, rgb=by_slide, noun=points.noun
    )
    return figure


def _number(axes: Axes, at: Array, label: int) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]
    axes.text(
        float(at[0]), float(at[1]), str(label), ha="center", va="center", weight="bold", fontsize=11, path_effects=halo
    )


def _slide_colours(count: int) -> Array:
    """Colours of slides, float (slide, 3): kept paler than the clusters' so that nobody takes one for the other."""
    from matplotlib import colormaps

    return np.asarray(colormaps["turbo"](np.linspace(0.04, 0.96, max(count, 1)))[:, :3] * 0.82 + 0.1)


def _slide_key(figure: Figure, at: tuple[float, float], *, names: Sequence[str], rgb: Array, noun: str) -> None:
    from matplotlib.colors import to_hex

    short = distinct_names(names, 24)
    for i, name in enumerate(names[:MAX_SLIDES_NAMED]):
        top = at[1] + 0.25 * i
        draw_swatch(figure, at[0], top, (0.13, 0.13), colour=to_hex(rgb[i]))
        write_inches(figure, at[0] + 0.21, top + 0.06, short[name], fontsize=8.5, va="center")
    if len(names) > MAX_SLIDES_NAMED:
        rest = f"and {len(names) - MAX_SLIDES_NAMED} more {noun}s"
        write_inches(figure, at[0] + 0.21, at[1] + 0.25 * MAX_SLIDES_NAMED, rest, fontsize=8.5, color=QUIET_INK)

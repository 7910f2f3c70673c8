"""maps: the slide beside the slide coloured by cluster, and where each cluster is dense.

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

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .figure import DPI, INK, QUIET, house_style, new_figure, panel, save, shortened, write_inches
from .legend import Legend, draw_legend, legend_size
from .numbers import percent
from .palette import colour, hexadecimal
from .picture import Cells, Picture

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, LinearSegmentedColormap
    from matplotlib.figure import Figure

MARGIN, TITLE, HEADING, GAP, BAR = 0.35, 0.5, 0.3, 0.3, 0.5
"""Inches: around the figure, for the title, above a panel, between panels, for the scale bar."""
PANEL = 1100
"""Dots of a panel's longer side at most."""


def cluster_map(
    path: Path, picture: Picture, cells: Cells, *, legend: Legend, title: str, heading: str = "Slide"
) -> Path:
    """Write the slide beside the slide coloured by cluster, as PNG, with legend and scale bar."""
    return save(cluster_figure(picture, cells, legend=legend, title=title, heading=heading), path)


def density_map(path: Path, picture: Picture, cells: Cells, *, legend: Legend, title: str) -> Path:
    """Write one small panel a cluster: its smoothed share of the tissue tiles nearby, as PNG."""
    return save(density_figure(picture, cells, legend=legend, title=title), path)


def coloured(picture: Picture, cells: Cells) -> Array:
    """The slide in grey, labelled cells in their clusters' colours, structure showing through; uint8 (y, x, 3)."""
    grey = _grey(picture)
    labels = cells.over(picture)
    tints = np.ones((int(labels.max(initial=0)) + 1, 3), np.float32)
    for label in np.unique(labels[labels > 0]):
        tints[label] = np.asarray(colour(int(label)), np.float32) / 255
    # multiplied, so that nuclei stay dark and glass keeps the pure colour; unlabelled parts recede
    shade = np.where(labels > 0, 0.58 + 0.42 * grey, 0.7 * grey if picture.dark else 0.45 + 0.55 * grey)
    lit = tints[labels] * shade[..., None] + 0.06 * (labels > 0)[..., None] * grey[..., None]
    return np.asarray((np.clip(lit, 0, 1) * 255).round(), np.uint8)


def local_share(labels: Array, label: int, *, sigma: float) -> Array:
    """The Gaussian-weighted share of `label` among the labelled cells nearby, float32 (y, x); 0 off the tissue."""
    from scipy.ndimage import gaussian_filter

    tissue = (labels > 0).astype(np.float32)
    around = gaussian_filter(tissue, sigma, mode="constant")
    among = gaussian_filter((labels == label).astype(np.float32), sigma, mode="constant")
    return np.asarray(np.where(tissue > 0, among / np.maximum(around, 1e-6), 0), np.float32)


def scale_length(limit: float) -> tuple[float, str]:
    """The longest of 1, 2 or 5 times a power of ten micrometres that is no longer than `limit`, and its text.

    >>> scale_length(730), scale_length(2400), scale_length(0.3)
    ((500.0, '500 µm'), (2000.0, '2 mm'), (0.2, '0.2 µm'))
    """
    power = 10.0 ** math.floor(math.log10(limit) + 1e-9)
    length = max(step * power for step in (1, 2, 5) if step == 1 or step * power <= limit * (1 + 1e-9))
    return length, f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


@house_style()
def cluster_figure(picture: Picture, cells: Cells, *, legend: Legend, title: str, heading: str = "Slide") -> Figure:
    """The figure of `cluster_map`; its axes carry the gids slide, clusters, scale and legend."""
    shown = picture.fitted(PANEL)
    height, width = (n / DPI for n in shown.rgb.shape[:2])
    stacked = width > 2.2 * height
    slot = max(width, 1.3)
    wide = slot if stacked else 2 * slot + GAP
    high = (2 * (height + HEADING) + GAP / 3 if stacked else height + HEADING) + BAR
    entries = legend if (cells.labels > 0).any() else ()
    key_width, key_height = legend_size(entries, high - BAR - HEADING) if entries else (-GAP, 0.0)
    top = MARGIN + TITLE
    figure = new_figure(2 * MARGIN + wide + GAP + key_width, top + max(high, HEADING + key_height) + MARGIN - 0.1)
    write_inches(
        figure, MARGIN, MARGIN - 0.05, shortened(title, int((wide + GAP + key_width) * 7)), fontsize=15, weight="bold"
    )

    second = (MARGIN, top + HEADING + height + GAP / 3) if stacked else (MARGIN + slot + GAP, top)
    for (left, edge), rgb, name in (((MARGIN, top), shown.rgb, heading), (second, coloured(shown, cells), "Clusters")):
        write_inches(figure, left, edge + 0.03, name, fontsize=10.5, color=QUIET)
        axes = panel(figure, left, edge + HEADING, (width, height))
        axes.imshow(rgb, interpolation="nearest", aspect="auto")
        axes.set(xticks=[], yticks=[], gid=name.lower())
        for spine in axes.spines.values():
            spine.set(visible=True, color="#c8ccd0", linewidth=0.6)
    if not (cells.labels > 0).any():
        _say_empty(figure, second[0] + width / 2, second[1] + HEADING + height / 2)
    _scale_bar(
        figure, (MARGIN, top + high - BAR + 0.14), micrometres=shown.spacing * DPI, room=(slot, max(width, height))
    )
    key = (MARGIN + wide + GAP, top + HEADING)
    if entries:
        write_inches(figure, key[0], top + 0.03, "Share of tissue tiles", fontsize=10.5, color=QUIET)
        draw_legend(figure, *key, legend=entries, height=high - BAR - HEADING)
    return figure


@house_style()
def density_figure(picture: Picture, cells: Cells, *, legend: Legend, title: str) -> Figure:
    """The figure of `density_map`: small multiples with one colour scale, each up to its own peak, which it states."""
    present = [entry for entry in legend if (cells.labels == entry[0]).any()]
    shown = picture.fitted(480 if len(present) <= 8 else 360 if len(present) <= 24 else 270)
    height, width = (n / DPI for n in shown.rgb.shape[:2])
    slot, head = max(width, 1.9), 0.52
    count = max(1, len(present))
    columns = min(count, max(1, round(math.sqrt(count * 1.5 * (height + head) / slot)), math.floor(5 / slot)))
    rows = math.ceil(count / columns)
    top = MARGIN + TITLE
    step = (slot + GAP, height + head + 0.2)
    wide = max(columns * step[0] - GAP, 5.2)
    figure = new_figure(2 * MARGIN + wide, top + rows * step[1] + 0.75)
    write_inches(figure, MARGIN, MARGIN - 0.05, shortened(title, int(wide * 7)), fontsize=15, weight="bold")

    scale = _density_colours()
    sigma = max(1.2, 0.012 * max(cells.labels.shape))
    for i, (label, name, share) in enumerate(present):
        left, edge = MARGIN + (i % columns) * step[0], top + (i // columns) * step[1]
        density = local_share(cells.labels, label, sigma=sigma)
        peak = float(density.max())
        _panel_head(figure, (left, edge), label=label, lines=(shortened(name, int(slot * 8)), percent(share), peak))
        axes = panel(figure, left, edge + head, (width, height))
        axes.imshow(
            _tinted(shown, cells, scale(_sampled(density / peak, cells, shown))), interpolation="nearest", aspect="auto"
        )
        axes.set(xticks=[], yticks=[], gid=f"density-{label}")
        for spine in axes.spines.values():
            spine.set(visible=True, color="#c8ccd0", linewidth=0.6)
    foot = top + rows * step[1] + 0.1
    if not present:
        axes = panel(figure, MARGIN, top + head, (width, height))
        axes.imshow(coloured(shown, cells), interpolation="nearest", aspect="auto")
        axes.set(xticks=[], yticks=[], gid="density-none")
        _say_empty(figure, MARGIN + width / 2, top + head + height / 2)
    else:
        _colour_bar(figure, scale, left=MARGIN + wide - 2.3, top=foot)
    _scale_bar(figure, (MARGIN, foot), micrometres=shown.spacing * DPI, room=(slot, max(width, height)))
    return figure


def _grey(picture: Picture) -> Array:
    """Brightness 0 to 1, float32 (y, x), stretched so that glass is white and the darkest tissue is dark."""
    grey = picture.rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    low, high = np.percentile(grey, (0.5, 99.5))
    if high - low < 0.05:  # one flat shade: nothing to stretch
        return grey
    return np.asarray(np.clip((grey - min(low, 0.35)) / (high - min(low, 0.35)), 0, 1), np.float32)


def _sampled(values: Array, cells: Cells, picture: Picture) -> Array:
    """Cell values at the picture's pixels, straight lines between the cells' centres."""
    from scipy.ndimage import map_coordinates

    y, x = cells.positions(picture)
    grid = np.meshgrid(y - 0.5, x - 0.5, indexing="ij")
    return np.asarray(map_coordinates(values, grid, order=1, mode="nearest"), np.float32)


def _tinted(picture: Picture, cells: Cells, colours: Array) -> Array:
    """The colours where there is tissue, shaded by the slide a little; pale grey slide elsewhere."""
    grey = _grey(picture)[..., None]
    on_tissue = (cells.over(picture) > 0)[..., None]
    around = 0.7 * grey if picture.dark else 0.72 + 0.28 * grey
    lit = np.where(on_tissue, colours[..., :3] * (0.86 + 0.14 * grey), around)
    return np.asarray((np.clip(lit, 0, 1) * 255).round(), np.uint8)


def _density_colours() -> LinearSegmentedColormap:
    """From the grey of tissue without the cluster through orange to near black, darker all the way."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    stops = [(0.0, (0.925, 0.925, 0.93, 1.0)), *((v, colormaps["magma_r"](v)) for v in np.linspace(0.14, 0.93, 12))]
    top = stops[-1][0]
    return LinearSegmentedColormap.from_list("density", [(v / top, rgba) for v, rgba in stops])


def _say_empty(figure: Figure, centre: float, middle: float) -> None:
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "#c8ccd0", "alpha": 0.92}
    write_inches(figure, centre, middle, "no tissue found", fontsize=11, ha="center", va="center", bbox=box)


def _scale_bar(figure: Figure, at: tuple[float, float], *, micrometres: float, room: tuple[float, float]) -> None:
    """A bar under the panels, never over tissue; `micrometres` an inch, `room` the slot and longer side in inches."""
    length, text = scale_length(min(0.45 * room[0], 0.3 * room[1]) * micrometres)
    inches = length / micrometres
    axes = panel(figure, at[0], at[1], (inches, 0.045))
    axes.set(xticks=[], yticks=[], facecolor=INK, gid="scale")
    for spine in axes.spines.values():
        spine.set_visible(False)
    write_inches(figure, at[0] + inches + 0.1, at[1] + 0.02, text, fontsize=10, va="center")


def _panel_head(figure: Figure, at: tuple[float, float], *, label: int, lines: tuple[str, str, float]) -> None:
    name, share, peak = lines
    swatch = panel(figure, at[0], at[1] + 0.06, (0.14, 0.14))
    swatch.set(xticks=[], yticks=[], facecolor=hexadecimal(colour(label)))
    for spine in swatch.spines.values():
        spine.set_visible(False)
    write_inches(figure, at[0] + 0.22, at[1] + 0.13, name, fontsize=10.5, weight="bold", va="center")
    write_inches(
        figure, at[0] + 0.22, at[1] + 0.25, f"{share} of tiles · peak {percent(peak)}", fontsize=8.5, color=QUIET
    )


def _colour_bar(figure: Figure, scale: Colormap, *, left: float, top: float) -> None:
    axes = panel(figure, left, top - 0.04, (2.3, 0.12))
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=scale, aspect="auto")
    axes.set(xticks=[], yticks=[], gid="colour-bar")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#c8ccd0", linewidth=0.6)
    write_inches(figure, left, top + 0.12, "0", fontsize=8.5, color=QUIET)
    write_inches(figure, left + 1.15, top + 0.12, "share of tiles nearby", fontsize=8.5, color=QUIET, ha="center")
    write_inches(figure, left + 2.3, top + 0.12, "peak", fontsize=8.5, color=QUIET, ha="right")

"""density_map: where each cluster is dense: one small panel a cluster, all with one colour scale."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .colouring import coloured, tinted
from .figure import (
    DPI,
    MARGIN,
    QUIET_INK,
    TITLE_HEIGHT,
    draw_swatch,
    house_style,
    new_figure,
    save,
    shortened,
    write_inches,
    write_title,
)
from .legend import Legend
from .map_panels import PANEL_GAP, draw_framed, write_no_tissue
from .numbers import percent
from .orientation import draw_letters
from .palette import colour, hexadecimal
from .picture import Cells, Picture
from .scale_bar import draw_scale_bar

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, LinearSegmentedColormap
    from matplotlib.figure import Figure


def density_map(path: Path, picture: Picture, cells: Cells, *, legend: Legend, title: str) -> Path:
    """Write one small panel a cluster: its smoothed share of the tissue tiles nearby, as PNG."""
    return save(density_figure(picture, cells, legend=legend, title=title), path)


@house_style()
def density_figure(picture: Picture, cells: Cells, *, legend: Legend, title: str) -> Figure:
    """The figure of `density_map`: small multiples with one colour scale, each up to its own peak, which it states."""
    entries = [entry for entry in legend if (cells.labels == entry[0]).any()]
    panel_picture = picture.fitted(480 if len(entries) <= 8 else 360 if len(entries) <= 24 else 270)
    height, width = (n / DPI for n in panel_picture.rgb.shape[:2])
    slot, head = max(width, 1.9), 0.52
    count = max(1, len(entries))
    columns = min(count, max(1, round(math.sqrt(count * 1.5 * (height + head) / slot)), math.floor(5 / slot)))
    rows = math.ceil(count / columns)
    top = MARGIN + TITLE_HEIGHT
    step = (slot + PANEL_GAP, height + head + 0.2)
    total_width = max(columns * step[0] - PANEL_GAP, 5.2)
    figure = new_figure(2 * MARGIN + total_width, top + rows * step[1] + 0.75)
    write_title(figure, shortened(title, int(total_width * 7)), fontsize=15)

    scale = _density_colours()
    sigma = max(1.2, 0.012 * max(cells.labels.shape))
    for i, (label, name, share) in enumerate(entries):
        left, edge = MARGIN + (i % columns) * step[0], top + (i // columns) * step[1]
        density = local_share(cells.labels, label, sigma=sigma)
        peak = float(density.max())
        _panel_head(figure, (left, edge), label=label, lines=(shortened(name, int(slot * 8)), percent(share), peak))
        tint = tinted(panel_picture, cells, scale(_sampled(density / peak, cells, panel_picture)))
        draw_framed(figure, left, edge + head, (width, height), rgb=tint, gid=f"density-{label}")
        draw_letters(figure, left, edge + head, (width, height), letters=panel_picture.letters)
    foot = top + rows * step[1] + 0.1
    if not entries:
        bare = coloured(panel_picture, cells)
        draw_framed(figure, MARGIN, top + head, (width, height), rgb=bare, gid="density-none")
        write_no_tissue(figure, MARGIN + width / 2, top + head + height / 2)
    else:
        _colour_bar(figure, scale, left=MARGIN + total_width - 2.3, top=foot)
    draw_scale_bar(figure, (MARGIN, foot), micrometres=panel_picture.spacing * DPI, room=(slot, max(width, height)))
    return figure


def local_share(labels: Array, label: int, *, sigma: float) -> Array:
    """The Gaussian-weighted share of `label` among the labelled cells nearby, float32 (y, x); 0 off the tissue."""
    from scipy.ndimage import gaussian_filter

    tissue = (labels > 0).astype(np.float32)
    around = gaussian_filter(tissue, sigma, mode="constant")
    among = gaussian_filter((labels == label).astype(np.float32), sigma, mode="constant")
    return np.asarray(np.where(tissue > 0, among / np.maximum(around, 1e-6), 0), np.float32)


def _sampled(values: Array, cells: Cells, picture: Picture) -> Array:
    """Cell values at the picture's pixels, straight lines between the cells' centres."""
    from scipy.ndimage import map_coordinates

    y, x = cells.positions(picture)
    grid = np.meshgrid(y - 0.5, x - 0.5, indexing="ij")
    return np.asarray(map_coordinates(values, grid, order=1, mode="nearest"), np.float32)


def _density_colours() -> LinearSegmentedColormap:
    """From the grey of tissue without the cluster through orange to near black, darker all the way."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    stops = [(0.0, (0.925, 0.925, 0.93, 1.0)), *((v, colormaps["magma_r"](v)) for v in np.linspace(0.14, 0.93, 12))]
    top = stops[-1][0]
    return LinearSegmentedColormap.from_list("density", [(v / top, rgba) for v, rgba in stops])


def _panel_head(figure: Figure, at: tuple[float, float], *, label: int, lines: tuple[str, str, float]) -> None:
    name, share, peak = lines
    draw_swatch(figure, at[0], at[1] + 0.06, (0.14, 0.14), colour=hexadecimal(colour(label)))
    write_inches(figure, at[0] + 0.22, at[1] + 0.13, name, fontsize=10.5, weight="bold", va="center")
    write_inches(
        figure, at[0] + 0.22, at[1] + 0.25, f"{share} of tiles · peak {percent(peak)}", fontsize=8.5, color=QUIET_INK
    )


def _colour_bar(figure: Figure, scale: Colormap, *, left: float, top: float) -> None:
    ramp = scale(np.linspace(0, 1, 256)[None], bytes=True)
    draw_framed(figure, left, top - 0.04, (2.3, 0.12), rgb=ramp, gid="colour-bar")
    write_inches(figure, left, top + 0.12, "0", fontsize=8.5, color=QUIET_INK)
    write_inches(figure, left + 1.15, top + 0.12, "share of tiles nearby", fontsize=8.5, color=QUIET_INK, ha="center")
    write_inches(figure, left + 2.3, top + 0.12, "peak", fontsize=8.5, color=QUIET_INK, ha="right")

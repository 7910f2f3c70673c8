"""plots: what a run found out, drawn: patches of each cluster, UMAP, how many clusters, who holds them, how training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .figure import INK, QUIET, RULE, house_style, new_figure, panel, save, shortened, write_inches
from .legend import Legend
from .numbers import percent
from .palette import colour, hexadecimal
from .validity import INDICES, Ranks, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN, TITLE = 0.35, 0.5
"""Inches around a figure, and for its title."""


@dataclass(frozen=True, slots=True)
class Points:
    """Tiles laid out in the plane."""

    xy: Array
    """float (tile, 2)."""
    cluster: Array
    """int (tile,); 0 = none."""
    slide: Array
    """int (tile,); index into `slide_names`."""
    slide_names: tuple[str, ...]

    def sampled(self, count: int, *, seed: int) -> Points:
        """At most `count` points in seeded random order, so that no cluster is drawn over all the others."""
        finite = np.flatnonzero(np.isfinite(self.xy).all(axis=1))
        chosen = np.random.default_rng(seed).permutation(finite)[:count]
        return Points(self.xy[chosen], self.cluster[chosen], self.slide[chosen], self.slide_names)


@house_style()
def gallery(path: Path, patches: Mapping[int, Array], *, legend: Legend, spacing: float | None = None) -> Path:
    """One row a cluster: the patches nearest its centre, uint8 (n, y, x, 3), nearest first; `spacing` in µm a pixel."""
    rows = [(entry, patches[entry[0]]) for entry in legend if len(patches.get(entry[0], ()))]
    count = max((len(p) for _, p in rows), default=1)
    side, gap, head = 0.86, 0.05, 1.75
    width = head + count * (side + gap) + 2 * MARGIN
    figure = new_figure(max(width, 6), MARGIN + TITLE + max(1, len(rows)) * (side + 0.14) + MARGIN)
    wide = rows[0][1].shape[2] * spacing if rows and spacing else 0.0
    across = f" · each {f'{wide:.0f} µm' if wide < 1000 else f'{wide / 1000:.3g} mm'} wide" if wide else ""
    write_inches(figure, MARGIN, MARGIN - 0.05, "Patches nearest each centre" + across, fontsize=13, weight="bold")
    for r, ((label, name, share), stack) in enumerate(rows):
        top = MARGIN + TITLE + r * (side + 0.14)
        swatch = panel(figure, MARGIN, top, (0.09, side))
        swatch.set(xticks=[], yticks=[], facecolor=hexadecimal(colour(label)))
        swatch.spines[:].set_visible(False)
        write_inches(figure, MARGIN + 0.2, top + side / 2 - 0.02, shortened(name, 17), weight="bold", va="bottom")
        write_inches(figure, MARGIN + 0.2, top + side / 2 + 0.05, percent(share), fontsize=9, color=QUIET)
        for i, patch in enumerate(stack):
            axes = panel(figure, MARGIN + head + i * (side + gap), top, (side, side))
            axes.imshow(patch, interpolation="antialiased", aspect="equal")
            axes.axis("off")
            axes.set_gid(f"patch-{label}-{i}")
    return save(figure, path)


@house_style()
def umap_plot(path: Path, points: Points, *, legend: Legend = (), limit: int = 200_000, seed: int = 0) -> Path:
    """The tiles in the plane, coloured by cluster and by slide side by side; more than `limit` are sampled."""
    return save(umap_figure(points.sampled(limit, seed=seed), legend=legend, total=len(points.xy)), path)


@house_style()
def umap_figure(points: Points, *, legend: Legend = (), total: int | None = None) -> Figure:
    """The figure of `umap_plot`, all points given."""
    side, top = 5.2, MARGIN + TITLE + 0.3
    clustered = bool((points.cluster > 0).any())
    wide = (1 + clustered) * (side + 0.4) - 0.4
    figure = new_figure(2 * MARGIN + wide + 2.1, top + side + MARGIN)
    drawn = len(points.xy)
    note = f"{drawn:,} tiles" + (f" of {total:,}" if total and total > drawn else "")
    write_inches(figure, MARGIN, MARGIN - 0.05, "UMAP of the tiles' embeddings", fontsize=13, weight="bold")
    write_inches(figure, 2 * MARGIN + wide - 0.3, MARGIN, note, ha="right", fontsize=9, color=QUIET)
    by_slide = _slide_colours(len(points.slide_names))
    tints = {label: np.array(colour(label)) / 255 for label in map(int, np.unique(points.cluster)) if label > 0}
    cluster_rgb = np.array([tints.get(int(c), (0.8, 0.8, 0.8)) for c in points.cluster]).reshape(-1, 3)
    slide_rgb = by_slide[points.slide] if drawn else np.zeros((0, 3))
    size = float(np.clip(30_000 / max(drawn, 1), 0.35, 14))
    panels = (("by cluster", cluster_rgb), ("by slide", slide_rgb))
    for i, (name, rgb) in enumerate(panels if clustered else panels[1:]):
        left = MARGIN + i * (side + 0.4)
        write_inches(figure, left, top - 0.27, name, fontsize=10.5, color=QUIET)
        axes = panel(figure, left, top, (side, side))
        axes.scatter(points.xy[:, 0], points.xy[:, 1], s=size, c=rgb, linewidths=0, alpha=0.8, rasterized=True)
        axes.set(xticks=[], yticks=[], gid=f"umap-{name.split()[-1]}")
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[:].set(visible=True, color=RULE)
        if clustered and i == 0:
            for label in tints:
                _number(axes, np.median(points.xy[points.cluster == label], axis=0), label)
    _slide_key(figure, (MARGIN + wide + 0.2, top + 0.05), names=points.slide_names, rgb=by_slide)
    return figure


@house_style()
def k_curves(path: Path, scores: Sequence[Score], *, ranks: Ranks, recommended: int | None = None) -> Path:
    """One panel an index over K, seeds as dots, their mean ± one standard deviation, and the mean rank over all."""
    return save(k_figure(scores, ranks=ranks, recommended=recommended), path)


@house_style()
def k_figure(scores: Sequence[Score], *, ranks: Ranks, recommended: int | None = None) -> Figure:
    """The figure of `k_curves`."""
    from matplotlib.ticker import MaxNLocator

    names = [name for name in INDICES if any(row["index"] == name for row in scores)]
    columns = 3 if len(names) + 1 > 4 else 2
    lines = math.ceil((len(names) + 1) / columns)
    width, height, gap_x, gap_y = 3.1, 2.0, 0.75, 0.95
    top = MARGIN + TITLE + 0.35
    figure = new_figure(
        2 * MARGIN + 0.45 + columns * (width + gap_x) - gap_x, top + lines * (height + gap_y) - gap_y + 0.5 + MARGIN
    )
    title = "How many clusters?" + (f"  Recommended: {recommended}" if recommended else "")
    write_inches(figure, MARGIN, MARGIN - 0.05, title, fontsize=13, weight="bold")
    for i, name in enumerate([*names, "rank"]):
        left = MARGIN + 0.45 + (i % columns) * (width + gap_x)
        axes = panel(figure, left, top + (i // columns) * (height + gap_y), (width, height))
        axes.set_gid(f"k-{name}")
        if name == "rank":
            _curve(axes, {k: [mean] for k, (mean, _) in ranks.items()}, error={k: e for k, (_, e) in ranks.items()})
            axes.set_title("Mean rank")
            _direction(axes, higher=False)
        else:
            values: dict[int, list[float]] = {}
            for row in scores:
                if row["index"] == name and math.isfinite(float(row["value"])):
                    values.setdefault(int(row["k"]), []).append(float(row["value"]))
            _curve(axes, values)
            heading, higher = INDICES[name]
            axes.set_title(heading)
            _direction(axes, higher=higher)
        if recommended:
            axes.axvline(recommended, color="#d1495b", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        if i + columns > len(names):
            axes.set_xlabel("clusters K", color=QUIET, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
        axes.grid(axis="y", color="#eceef0", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure


@house_style()
def cluster_by_slide(path: Path, counts: Array, *, names: Sequence[str], legend: Legend) -> Path:
    """Heat map of each slide's shares: one row a slide, one column a cluster; `counts` are tiles (cluster, slide)."""
    clusters, slides = counts.shape
    shares = (counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)).T
    row = 0.3 if slides <= 60 else max(0.02, 18 / slides)
    column = 0.56 if clusters <= 25 else 0.3
    head = 2.3 if slides <= 60 else 0.4
    figure = new_figure(max(2 * MARGIN + head + clusters * column + 0.9, 6), 2 * MARGIN + TITLE + 0.35 + slides * row)
    write_inches(figure, MARGIN, MARGIN - 0.05, "Share of each cluster on each slide", fontsize=13, weight="bold")
    axes = panel(figure, MARGIN + head, MARGIN + TITLE + 0.35, (clusters * column, max(slides * row, 0.1)))
    peak = float(shares.max(initial=0)) or 1.0
    image = axes.imshow(shares, cmap="YlGnBu", vmin=0, vmax=peak, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.set(gid="cluster-by-slide", yticks=range(slides) if slides <= 60 else [])
    axes.tick_params(length=0)
    if slides <= 60:
        axes.set_yticklabels([shortened(name, 30) for name in names], color=INK)
        axes.set_yticks(np.arange(slides + 1) - 0.5, minor=True)
        axes.set_xticks(np.arange(clusters + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    axes.xaxis.tick_top()
    axes.set_xticks(range(clusters), [str(label) for label, _, _ in legend] if column > 0.5 else [""] * clusters)
    for tick, (label, _, _) in zip(axes.get_xticklabels(), legend, strict=True):
        tick.set(weight="bold", color=INK, bbox=_chip(colour(label)))
    if slides <= 60 and column > 0.5:
        for (s, c), share in np.ndenumerate(shares):
            ink = "white" if share > 0.55 * peak else (QUIET if share == 0 else INK)
            text = "·" if share == 0 else f"{share * 100:.0f}" if share >= 0.01 else "<1"
            axes.text(c, s, text, ha="center", va="center", fontsize=8.5, color=ink)
    bar_height = min(1.6, max(slides * row, 0.5))
    bar = panel(figure, MARGIN + head + clusters * column + 0.2, MARGIN + TITLE + 0.35, (0.12, bar_height))
    figure.colorbar(image, cax=bar, format=lambda v, _: f"{v:.0%}")
    bar.spines[:].set_visible(False)
    bar.tick_params(length=0, labelsize=8)
    return save(figure, path)


@house_style()
def training_curves(path: Path, records: Sequence[Mapping[str, str | float]]) -> Path:
    """One panel for every measured number of every stage; a record has `step`, maybe `stage`, and the numbers."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        stage = str(record.get("stage", ""))
        for name, value in record.items():
            if name not in ("step", "stage", "seed") and isinstance(value, int | float) and math.isfinite(value):
                series.setdefault((stage, name), []).append((float(record["step"]), float(value)))
    columns = min(3, max(1, len(series)))
    lines = max(1, math.ceil(len(series) / columns))
    width, height, gap_x, gap_y, top = 3.1, 1.8, 0.75, 0.9, MARGIN + TITLE + 0.35
    figure = new_figure(
        2 * MARGIN + 0.5 + columns * (width + gap_x) - gap_x, top + lines * (height + gap_y) - gap_y + 0.5 + MARGIN
    )
    write_inches(figure, MARGIN, MARGIN - 0.05, "Training", fontsize=13, weight="bold")
    for i, ((stage, name), pairs) in enumerate(series.items()):
        left = MARGIN + 0.5 + (i % columns) * (width + gap_x)
        axes = panel(figure, left, top + (i // columns) * (height + gap_y), (width, height))
        step, value = np.array(sorted(pairs)).T
        axes.plot(
            step, value, color="#9ec3dd" if len(step) > 20 else "#0072b2", linewidth=0.8 if len(step) > 20 else 1.6
        )
        if len(step) > 20:
            axes.plot(step, _smoothed(value), color="#0072b2")
        axes.set_title(shortened(" · ".join(part for part in (stage, name.replace("_", " ")) if part), 36))
        axes.grid(axis="y", color="#eceef0", linewidth=0.8)
        axes.ticklabel_format(axis="both", useOffset=False, style="plain")
        if np.ptp(value) < 1e-9 * max(1.0, float(np.abs(value).max())):  # constant: no zoom into rounding errors
            axes.set_ylim(float(value[0]) - 1, float(value[0]) + 1)
        axes.set_gid(f"training-{stage}-{name}")
        if i + columns >= len(series):
            axes.set_xlabel("step", color=QUIET, fontsize=9)
    return save(figure, path)


def _smoothed(values: Array) -> Array:
    """A running mean over about a fiftieth of the curve, shorter towards its ends."""
    half = max(1, len(values) // 50)
    total = np.concatenate([[0.0], np.cumsum(values)])
    start = np.maximum(np.arange(len(values)) - half, 0)
    stop = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return np.asarray((total[stop] - total[start]) / (stop - start))


def _curve(axes: Axes, values: Mapping[int, Sequence[float]], *, error: Mapping[int, float] | None = None) -> None:
    ks = sorted(values)
    if not ks:
        axes.text(0.5, 0.5, "not available", transform=axes.transAxes, ha="center", va="center", color=QUIET)
        return
    mean = np.array([np.mean(values[k]) for k in ks])
    if error is None:
        spread = np.array([np.std(values[k], ddof=1) if len(values[k]) > 1 else 0.0 for k in ks])
        dots = np.array([(k, v) for k in ks for v in values[k]])
        axes.scatter(dots[:, 0], dots[:, 1], s=9, color="#0072b2", alpha=0.35, linewidths=0)
    else:
        spread = np.array([error.get(k, 0.0) for k in ks])
    axes.fill_between(ks, mean - spread, mean + spread, color="#0072b2", alpha=0.14, linewidth=0)
    axes.plot(ks, mean, color="#0072b2", marker="o", markersize=3.5)


def _direction(axes: Axes, *, higher: bool) -> None:
    text = "↑ higher is better" if higher else "↓ lower is better"
    axes.set_title(text, loc="right", fontsize=8.5, color=QUIET, weight="normal")


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


def _slide_key(figure: Figure, at: tuple[float, float], *, names: Sequence[str], rgb: Array) -> None:
    room = 19
    for i, name in enumerate(names[:room]):
        top = at[1] + 0.25 * i
        swatch = panel(figure, at[0], top, (0.13, 0.13))
        swatch.set(xticks=[], yticks=[], facecolor=rgb[i])
        swatch.spines[:].set_visible(False)
        write_inches(figure, at[0] + 0.21, top + 0.06, shortened(name, 24), fontsize=8.5, va="center")
    if len(names) > room:
        rest = f"and {len(names) - room} more slides"
        write_inches(figure, at[0] + 0.21, at[1] + 0.25 * room, rest, fontsize=8.5, color=QUIET)


def _chip(rgb: tuple[int, int, int]) -> dict[str, object]:
    """A tinted ground behind a cluster's number."""
    tint = [0.55 + 0.45 * v / 255 for v in rgb]
    return {"boxstyle": "round,pad=0.25", "facecolor": tint, "edgecolor": "none"}

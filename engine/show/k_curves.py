"""k_curves: reproducibility over K, which decides K, and every validity index beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .figure import MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, write_title
from .validity import INDICES, Comeback, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@house_style()
def k_curves(
    path: Path,
    scores: Sequence[Score],
    *,
    comebacks: Sequence[Comeback],
    recommended: int | None = None,
    noun: str = "clusters",
) -> Path:
    """Reproducibility over K with that of chance; then a panel an index, seeds as dots, mean ± one standard deviation.

    `noun` says what K counts.
    """
    return save(k_figure(scores, comebacks=comebacks, recommended=recommended, noun=noun), path)


@house_style()
def k_figure(
    scores: Sequence[Score], *, comebacks: Sequence[Comeback], recommended: int | None = None, noun: str = "clusters"
) -> Figure:
    """The figure of `k_curves`."""
    from matplotlib.ticker import MaxNLocator

    names = [name for name in INDICES if any(row["index"] == name for row in scores)]
    columns = 3 if len(names) + 1 > 4 else 2
    lines = math.ceil((len(names) + 1) / columns)
    width, height, gap_x, gap_y = 3.1, 2.0, 0.75, 0.95
    top = MARGIN + TITLE_HEIGHT + 0.35
    figure = new_figure(
        2 * MARGIN + 0.45 + columns * (width + gap_x) - gap_x, top + lines * (height + gap_y) - gap_y + 0.5 + MARGIN
    )
    title = f"How many {noun}?" + (f"  Recommended: {recommended}" if recommended else "")
    write_title(figure, title)
    for i, name in enumerate(["reproducibility", *names]):
        left = MARGIN + 0.45 + (i % columns) * (width + gap_x)
        axes = panel(figure, left, top + (i // columns) * (height + gap_y), (width, height))
        axes.set_gid(f"k-{name}")
        if name == "reproducibility":
            _curve(axes, {row.clusters: [row.rand] for row in comebacks})
            ks = [row.clusters for row in comebacks]
            axes.plot(ks, [row.chance for row in comebacks], color=QUIET_INK, linewidth=1, linestyle=(0, (2, 2)))
            axes.set(title="Reproducibility", ylim=(0, 1.03))
            _direction(axes, higher=True)
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
            axes.set_xlabel(f"{noun} K", color=QUIET_INK, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
        axes.grid(axis="y", color="#eceef0", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure


def _curve(axes: Axes, values: Mapping[int, Sequence[float]]) -> None:
    ks = sorted(values)
    if not ks:
        axes.text(0.5, 0.5, "not available", transform=axes.transAxes, ha="center", va="center", color=QUIET_INK)
        return
    mean = np.array([np.mean(values[k]) for k in ks])
    spread = np.array([np.std(values[k], ddof=1) if len(values[k]) > 1 else 0.0 for k in ks])
    if any(len(v) > 1 for v in values.values()):
        dots = np.array([(k, v) for k in ks for v in values[k]])
        axes.scatter(dots[:, 0], dots[:, 1], s=9, color="#0072b2", alpha=0.35, linewidths=0)
    axes.fill_between(ks, mean - spread, mean + spread, color="#0072b2", alpha=0.14, linewidth=0)
    axes.plot(ks, mean, color="#0072b2", marker="o", markersize=3.5)


def _direction(axes: Axes, *, higher: bool) -> None:
    text = "↑ higher is better" if higher else "↓ lower is better"
    axes.set_title(text, loc="right", fontsize=8.5, color=QUIET_INK, weight="normal")

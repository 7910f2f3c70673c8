"""training_curves: every recorded figure of every training stage over its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, shortened, write_title


@house_style()
def training_curves(path: Path, records: Sequence[Mapping[str, str | float]]) -> Path:
    """One panel for every recorded figure of every stage; a record has `step`, maybe `stage`, and the numbers."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        stage = str(record.get("stage", ""))
        for name, value in record.items():
            if name not in ("step", "stage", "seed") and isinstance(value, int | float) and math.isfinite(value):
                series.setdefault((stage, name), []).append((float(record["step"]), float(value)))
    columns = min(3, max(1, len(series)))
    lines = max(1, math.ceil(len(series) / columns))
    width, height, gap_x, gap_y, top = 3.1, 1.8, 0.75, 0.9, MARGIN + TITLE_HEIGHT + 0.35
    figure = new_figure(
        2 * MARGIN + 0.5 + columns * (width + gap_x) - gap_x, top + lines * (height + gap_y) - gap_y + 0.5 + MARGIN
    )
    write_title(figure, "Training")
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
            axes.set_xlabel("step", color=QUIET_INK, fontsize=9)
    return save(figure, path)


def _smoothed(values: Array) -> Array:
    """A running mean over about a fiftieth of the curve, shorter towards its ends."""
    half = max(1, len(values) // 50)
    total = np.concatenate([[0.0], np.cumsum(values)])
    start = np.maximum(np.arange(len(values)) - half, 0)
    stop = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return np.asarray((total[stop] - total[start]) / (stop - start))

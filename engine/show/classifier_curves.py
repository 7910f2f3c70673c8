"""classifier_curves: receiver operating characteristics, and how far probabilities are from shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .figure import MARGIN, QUIET_INK, TITLE_HEIGHT, house_style, new_figure, panel, save, write_title

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#6a6f76")
LINES = ("-", "--", ":", "-.")
"""Styles of lines, taken in turn where there are more curves than colours."""
SIDE, GAP = 3.2, 0.9
"""Inches: a panel, between panels."""


@house_style()
def classifier_curves(
    path: Path,
    rocs: Mapping[str, tuple[Array, Array]],
    bins: Sequence[tuple[float, float, int]],
    *,
    point: tuple[float, float] | None = None,
) -> Path:
    """ROC curves by name, as (labels 0 or 1, scores), beside the diagram of calibration.

    `bins`: (mean confidence, accuracy, films) of films of like confidence; `point`: (1 - specificity, sensitivity) at the
    threshold.
    """
    figure = new_figure(2 * MARGIN + 0.5 + 2 * SIDE + GAP, MARGIN + TITLE_HEIGHT + 0.3 + SIDE + 0.6)
    write_title(figure, "Discrimination and calibration")
    top = MARGIN + TITLE_HEIGHT + 0.3
    left = panel(figure, MARGIN + 0.5, top, (SIDE, SIDE))
    left.plot([0, 1], [0, 1], color="#d5d8dc", linewidth=1)
    looks = cycle((colour, line) for line in LINES for colour in COLOURS)
    for (colour, line), (name, (labels, scores)) in zip(looks, rocs.items(), strict=False):
        left.plot(*roc(labels, scores), color=colour, linestyle=line, label=name)
    if point is not None:
        left.plot(*point, marker="o", color=COLOURS[0], markersize=6, linestyle="none", label="at the threshold")
    left.set(xlim=(0, 1), ylim=(0, 1.01))
    left.set_xlabel("1 − specificity", color=QUIET_INK, fontsize=9)
    left.set_ylabel("sensitivity", color=QUIET_INK, fontsize=9)
    if rocs:
        left.legend(loc="lower right", fontsize=8 if len(rocs) <= len(COLOURS) else 6)
    left.set_gid("roc")
    right = panel(figure, MARGIN + 0.5 + SIDE + GAP, top, (SIDE, SIDE))
    right.plot([0, 1], [0, 1], color="#d5d8dc", linewidth=1)
    if bins:
        confidence, accuracy, films = np.array(bins, np.float64).T
        right.plot(confidence, accuracy, color=COLOURS[0], linewidth=1)
        right.scatter(confidence, accuracy, s=12 + 120 * films / films.sum(), color=COLOURS[0])
    right.set(xlim=(0, 1), ylim=(0, 1.01))
    right.set_xlabel("probability of the class that is named", color=QUIET_INK, fontsize=9)
    right.set_ylabel("share that is right", color=QUIET_INK, fontsize=9)
    right.set_gid("calibration")
    return save(figure, path)


def roc(labels: Array, scores: Array) -> tuple[Array, Array]:
    """(1 - specificity, sensitivity) over all thresholds, from (0, 0) to (1, 1).

    >>> roc(np.array([0, 1, 1]), np.array([0.1, 0.1, 0.9]))
    (array([0., 0., 1.]), array([0. , 0.5, 1. ]))
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    positive = np.asarray(labels)[order] == 1
    last = np.append(np.diff(np.asarray(scores)[order]) != 0, True)  # films of one score are named at once
    hits, alarms = np.cumsum(positive)[last], np.cumsum(~positive)[last]
    return np.append(0.0, alarms / max(1, alarms[-1])), np.append(0.0, hits / max(1, hits[-1]))

"""neighbours: the picture of a search: the query on top, the cases found below, nearest first, with their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...stores.frame import Array
from .figure import (
    DPI,
    HAIRLINE_COLOUR,
    INK,
    QUIET_INK,
    draw_pixels,
    draw_rectangle,
    house_style,
    new_figure,
    save,
    shortened,
    write_inches,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CASES_MARGIN, PLANE_GAP, LINE_HEIGHT = 0.3, 0.08, 0.19
"""Inches around the figure, between planes, and of a line of text."""
PLANE_SIDES = {1: 1.7, 3: 1.3}
"""Inches along the longest side of a plane, by how many planes a case has."""
CASES_ACROSS = {1: 5, 3: 3}
"""Cases side by side."""
CASE_TITLE_HEIGHT = 0.26
"""Inches of a case's title."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One picture of a case."""

    name: str
    rgb: Array
    """uint8 (y, x, 3), as it is drawn: the first row on top."""
    extent: tuple[float, float]
    """Micrometres along y and x."""


@dataclass(frozen=True, slots=True)
class CasePanel:
    """A case as the picture shows it."""

    title: str
    """`query`, or its rank."""
    name: str
    lines: tuple[str, ...]
    planes: tuple[Plane, ...]
    sided: bool = False
    """Whether it is known which side of a volume is which."""


@house_style()
def draw(path: Path, query: CasePanel, neighbours: Sequence[CasePanel]) -> Path:
    """Write the picture; returns where."""
    return save(figure_of(query, neighbours), path)


@house_style()
def figure_of(query: CasePanel, neighbours: Sequence[CasePanel]) -> Figure:
    """The query on top, the other cases below it in rows. All planes of a kind have one scale where their sizes allow."""
    cases = [query, *neighbours]
    planes = 3 if any(len(c.planes) == 3 for c in cases) else 1
    side, across = PLANE_SIDES[planes], min(CASES_ACROSS[planes], max(1, len(neighbours)))
    lines = max(len(c.lines) for c in cases)
    largest = max((max(p.extent) for c in cases for p in c.planes), default=1.0)
    plane_height = max((p.extent[0] for c in cases for p in c.planes), default=largest) / largest * side
    case_width, case_height = (
        planes * (side + PLANE_GAP) + 0.25,
        CASE_TITLE_HEIGHT + plane_height + lines * LINE_HEIGHT + 0.22,
    )
    rows = -(-len(neighbours) // across)
    figure = new_figure(
        2 * CASES_MARGIN + max(across * case_width, 5.2), 2 * CASES_MARGIN + (rows + 1) * case_height + 0.25
    )
    for number, case in enumerate(cases):
        row, column = (0, 0) if not number else (1 + (number - 1) // across, (number - 1) % across)
        _draw_case(
            figure,
            case,
            CASES_MARGIN + column * case_width,
            CASES_MARGIN + row * case_height + (0.25 if row else 0),
            (side / largest, plane_height),
        )
    width = figure.get_size_inches()[0]
    if neighbours:
        below, across_all = CASES_MARGIN + case_height + 0.08, width - 2 * CASES_MARGIN
        draw_rectangle(figure, CASES_MARGIN, below, (across_all, 2 / DPI), facecolor=HAIRLINE_COLOUR)
    if planes == 3 and all(c.sided for c in cases if len(c.planes) == 3):
        write_inches(
            figure,
            width - CASES_MARGIN,
            CASES_MARGIN,
            "the patient's right is on the right",
            ha="right",
            fontsize=8,
            color=QUIET_INK,
        )
    return figure


def _draw_case(figure: Figure, case: CasePanel, left: float, top: float, scale: tuple[float, float]) -> None:
    """Draw a case at (left, top) inches; `scale` is inches a micrometre, and inches that planes are high."""
    per_um, plane_height = scale
    write_inches(figure, left, top, case.title, fontsize=10.5, weight="bold")
    room = 58 if len(case.planes) == 3 else 20
    write_inches(
        figure, left + 0.12 + 0.085 * len(case.title), top + 0.01, shortened(case.name, room), fontsize=9.5, color=INK
    )
    at = left
    for plane in case.planes:
        height, width = (um * per_um for um in plane.extent)
        above, gid = top + CASE_TITLE_HEIGHT + plane_height - height, f"plane-{case.title}-{plane.name}"
        draw_pixels(figure, at, above, (width, height), rgb=plane.rgb, gid=gid, smooth=True)
        at += width + PLANE_GAP
    for number, line in enumerate(case.lines):
        style = {"fontsize": 9, "color": QUIET_INK if number else INK}
        write_inches(
            figure,
            left,
            top + CASE_TITLE_HEIGHT + plane_height + 0.06 + number * LINE_HEIGHT,
            shortened(line, room),
            **style,
        )

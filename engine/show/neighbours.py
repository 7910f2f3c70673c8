"""neighbours: the picture of a search: the query on top, what was found below, nearest first, each with what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...stores.frame import Array
from .figure import HAIRLINE_COLOUR, INK, QUIET_INK, house_style, new_figure, panel, save, shortened, write_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN, PLANE_GAP, LINE_HEIGHT = 0.3, 0.08, 0.19
"""Inches around the figure, between planes, and of a line of text."""
PLANE_SIDES = {1: 1.7, 3: 1.3}
"""Inches along the longest side of a plane, by how many planes a case has."""
CARDS_ACROSS = {1: 5, 3: 3}
"""Cases side by side."""
CARD_TITLE_HEIGHT = 0.26
"""Inches of a card's title."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One picture of a case."""

    name: str
    rgb: Array
    """uint8 (y, x, 3), as it is drawn: the first row on top."""
    extent: tuple[float, float]
    """Micrometres along y and x."""


@dataclass(frozen=True, slots=True)
class Card:
    """A case, as it is shown."""

    title: str
    """`query`, or its rank."""
    name: str
    lines: tuple[str, ...]
    planes: tuple[Plane, ...]


@house_style()
def draw(path: Path, query: Card, found: Sequence[Card]) -> Path:
    """Write the picture; returns where."""
    return save(figure_of(query, found), path)


@house_style()
def figure_of(query: Card, found: Sequence[Card]) -> Figure:
    """The query's card on top, the others below it in rows. All planes of a kind have one scale where their sizes allow."""
    cards = [query, *found]
    planes = 3 if any(len(c.planes) == 3 for c in cards) else 1
    side, across = PLANE_SIDES[planes], min(CARDS_ACROSS[planes], max(1, len(found)))
    lines = max(len(c.lines) for c in cards)
    largest = max((max(p.extent) for c in cards for p in c.planes), default=1.0)
    tall = max((p.extent[0] for c in cards for p in c.planes), default=largest) / largest * side
    wide, high = planes * (side + PLANE_GAP) + 0.25, CARD_TITLE_HEIGHT + tall + lines * LINE_HEIGHT + 0.22
    rows = -(-len(found) // across)
    figure = new_figure(2 * MARGIN + max(across * wide, 5.2), 2 * MARGIN + (rows + 1) * high + 0.25)
    for number, card in enumerate(cards):
        row, column = (0, 0) if not number else (1 + (number - 1) // across, (number - 1) % across)
        _card(figure, card, MARGIN + column * wide, MARGIN + row * high + (0.25 if row else 0), (side / largest, tall))
    width, height = figure.get_size_inches()
    if found:
        y = 1 - (MARGIN + high + 0.08) / height
        rule = figure.add_axes((MARGIN / width, y, 1 - 2 * MARGIN / width, 0.001))
        rule.axis("off")
        rule.axhline(0, color=HAIRLINE_COLOUR, linewidth=1)
    if planes == 3:
        write_inches(
            figure,
            width - MARGIN,
            MARGIN,
            "the patient's right is on the right",
            ha="right",
            fontsize=8,
            color=QUIET_INK,
        )
    return figure


def _card(figure: Figure, card: Card, left: float, top: float, scale: tuple[float, float]) -> None:
    """A card at (left, top) inches; `scale` is inches a micrometre, and inches that planes are high."""
    per_um, tall = scale
    write_inches(figure, left, top, card.title, fontsize=10.5, weight="bold")
    room = 58 if len(card.planes) == 3 else 20
    write_inches(
        figure, left + 0.12 + 0.085 * len(card.title), top + 0.01, shortened(card.name, room), fontsize=9.5, color=INK
    )
    at = left
    for plane in card.planes:
        height, width = (um * per_um for um in plane.extent)
        axes = panel(figure, at, top + CARD_TITLE_HEIGHT + tall - height, (width, height))
        axes.imshow(plane.rgb, interpolation="antialiased", aspect="auto")
        axes.axis("off")
        axes.set_gid(f"plane-{card.title}-{plane.name}")
        at += width + PLANE_GAP
    for number, line in enumerate(card.lines):
        style = {"fontsize": 9, "color": QUIET_INK if number else INK}
        write_inches(
            figure, left, top + CARD_TITLE_HEIGHT + tall + 0.06 + number * LINE_HEIGHT, shortened(line, room), **style
        )

"""composition_section: the report's section on the share of each cluster on each slide, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .legend import Legend
from .numbers import percent
from .page import Column, Section, Table
from .palette import colour
from .spreadsheet import Cell

if TYPE_CHECKING:
    from ...models.evaluation.composition import Composition

MAX_SLIDES_WITH_INTERVALS = 60
"""Largest number of slides with a row in the table."""


def composition_section(
    found: Sequence[Composition], *, names: Sequence[str], legend: Legend, noun: str = "slide"
) -> Section:
    """A row a slide, a column a cluster: share (95 % interval); `names` are the slides' names, `noun` what one is called."""
    text = (
        f"Share of each cluster in the {noun}'s tissue, and in brackets its 95 % interval over fields of such tissue. Tiles "
        f"that are neighbours are alike, so the interval is over groups of them. It says nothing of other {noun}s of the "
        "subject, or of other subjects."
    )
    columns = (Column(noun.capitalize()), *(Column(name, "number", colour(label)) for label, name, _ in legend))
    shown = list(zip(names, found, strict=True))[:MAX_SLIDES_WITH_INTERVALS]
    rows: list[tuple[Cell, ...]] = [
        (name, *(_cell(*v) for v in zip(c.shares, c.low, c.high, strict=True))) for name, c in shown
    ]
    caption = f"First {len(shown)} of {len(names)} {noun}s" if len(shown) < len(names) else ""
    without = [f"{name} has no intervals: {c.reason}." for name, c in shown if c.reason]
    return Section(f"Composition of the {noun}s", (text, *without), tables=(Table(columns, tuple(rows), caption),))


def _cell(share: float, low: float, high: float) -> str | None:
    if np.isnan(share):
        return None
    return percent(float(share)) + ("" if np.isnan(low) else f" ({low * 100:.1f} to {high * 100:.1f})")

"""associations_section: the report's section on groups of subjects and the columns of the user's list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from .numbers import number, percent
from .page import Column, Section, Table
from .spreadsheet import Cell

HEADING = "Groups and what the list says of their subjects"
NOTABLE_Q = 0.05
"""Corrected p-value up to which a row is set off."""


class ColumnFigures(Protocol):
    """A column over all groups."""

    @property
    def column(self) -> str: ...

    @property
    def is_number(self) -> bool: ...

    @property
    def subjects(self) -> int: ...

    @property
    def effect(self) -> float: ...

    @property
    def p(self) -> float: ...

    @property
    def least_p(self) -> float: ...

    @property
    def q(self) -> float: ...


class GroupFigures(Protocol):
    """A group beside all other subjects."""

    @property
    def group(self) -> int: ...

    @property
    def column(self) -> str: ...

    @property
    def category(self) -> str: ...

    @property
    def subjects(self) -> tuple[int, int]: ...

    @property
    def inside(self) -> float: ...

    @property
    def outside(self) -> float: ...

    @property
    def effect(self) -> float | None: ...

    @property
    def low(self) -> float | None: ...

    @property
    def high(self) -> float | None: ...

    @property
    def size(self) -> float | None: ...

    @property
    def p(self) -> float: ...

    @property
    def q(self) -> float: ...


def associations_section(
    columns: Sequence[ColumnFigures],
    differences: Sequence[GroupFigures],
    *,
    left_out: Sequence[str],
    notes: Sequence[str],
) -> Section:
    """Every column over all groups, and each group against all other subjects."""
    closing = [*(f"{note}." for note in notes), *([f"Not compared: {', '.join(left_out)}."] if left_out else [])]
    if not columns:
        return Section(HEADING, ("No group is compared with others.", *closing))
    text = (
        "The unit is the subject. The groups were found without these columns. Effect: share of the ranks' variance that lies "
        "between groups (numbers), or Cramér's V (categories), both less what chance gives: 0 is chance, 1 is all. p: by "
        "permutation of subjects. q: p corrected for all columns, below for all comparisons (Benjamini and Hochberg)."
    )
    beside = (
        "Each group against all other subjects. Difference of means with its 95 % interval (Welch) and Hedges' g, or odds "
        "ratio (×) with its exact 95 % interval (conditional, Fisher), infinite where a count is 0; intervals are of one "
        "comparison each, not corrected. A group that differs in a column need not be made by it."
    )
    few = [c.column for c in columns if c.least_p > NOTABLE_Q]
    if few:
        closing.append(
            f"Of so few subjects no difference can be notable in {', '.join(few)}: that none is found says nothing."
        )
    tables = (_columns_table(columns), _groups_table(differences)) if differences else (_columns_table(columns),)
    return Section(HEADING, (text, beside, *closing), tables=tables)


def _columns_table(columns: Sequence[ColumnFigures]) -> Table:
    head = (
        Column("Column"),
        Column("Kind"),
        *(Column(name, "number") for name in ("Subjects", "Effect", "p", "q")),
    )
    rows: list[tuple[Cell, ...]] = [
        (c.column, "number" if c.is_number else "categories", c.subjects, round(c.effect, 3), c.p, c.q) for c in columns
    ]
    return Table(head, tuple(rows), "All groups together", _marked([c.q for c in columns]))


def _groups_table(differences: Sequence[GroupFigures]) -> Table:
    head = (
        Column("Group"),
        Column("Column"),
        Column("Subjects, others", "number"),
        Column("In the group", "number"),
        Column("In the others", "number"),
        Column("Difference or odds ratio", "number"),
        Column("g", "number"),
        Column("p", "number"),
        Column("q", "number"),
    )
    rows = tuple(_row(d) for d in differences)
    return Table(head, rows, "Each group and all others", _marked([d.q for d in differences]))


def _row(d: GroupFigures) -> tuple[Cell, ...]:
    what = f"{d.column} {d.category}" if d.category else d.column
    shown = percent if d.category else number
    effect = _interval(d)
    size = None if d.size is None else round(d.size, 2)
    counts = f"{d.subjects[0]}, {d.subjects[1]}"
    return f"group {d.group}", what, counts, shown(d.inside), shown(d.outside), effect, size, d.p, d.q


def _interval(d: GroupFigures) -> str:
    """Effect and interval; documents hold None for what is not finite, which an odds ratio is where it is infinite."""
    ends = (d.effect, d.low, d.high)
    if None in ends and not d.category:
        return "–"
    effect, low, high = ("∞" if end is None or math.isinf(end) else number(end) for end in ends)
    return f"{'× ' if d.category else ''}{effect} ({low} to {high})"


def _marked(q: Sequence[float]) -> frozenset[int]:
    return frozenset(i for i, value in enumerate(q) if value <= NOTABLE_Q)

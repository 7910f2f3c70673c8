"""groups_section: the report's section on groups of subjects: each cluster's share, effect with interval, corrected p."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from .numbers import number
from .page import Column, Section, Table
from .spreadsheet import Cell

if TYPE_CHECKING:
    from ...models.evaluation.effects import Effect
    from ...models.evaluation.groups import ClusterDifference, GroupComparison

HEADING = "Groups compared"
NOTABLE_Q = 0.05
"""Corrected p-value up to which a row is set off."""


def groups_section(compared: GroupComparison, *, names: Sequence[str], noun: str = "slide") -> Section:
    """Differences between groups, a row a cluster; `names` are the clusters' names, `noun` is what an image is called."""
    left_out = tuple(f"Left out: {note}." for note in compared.left_out)
    if compared.reason:
        return Section(HEADING, (f"No groups are compared: {compared.reason}.", *left_out))
    sizes = [f"{group} ({size} subjects)" for group, size in zip(compared.groups, compared.subjects, strict=True)]
    text = (
        f"Compared: {', '.join(sizes)}. The unit is the subject, not the tile; a subject's share is the mean over its {noun}s. "
        "Ratio: how many times as large the cluster is in the second group as in the first, relative to the geometric mean "
        "of all clusters, with its 95 % interval; where one cluster grows, the ratios of others shrink. p: ranks of "
        "log-ratios, by permutation of subjects. q: p corrected for the number of clusters (Benjamini and Hochberg)."
    )
    texts = (text, *_few_subjects(compared), *left_out)
    pairs = [f"{b} : {a}" for a, b in combinations(compared.groups, 2)]
    columns = (
        Column("Cluster"),
        *(Column(f"Mean share, {group}", "share") for group in compared.groups),
        *(Column(f"Ratio {pair}", "number") for pair in pairs),
        Column("p", "number"),
        Column("q", "number"),
    )
    marked = frozenset(i for i, d in enumerate(compared.differences) if d.q <= NOTABLE_Q)
    rows = tuple(_row(d, names[d.cluster - 1]) for d in compared.differences)
    return Section(HEADING, texts, tables=(Table(columns, rows, marked=marked),))


def _few_subjects(compared: GroupComparison) -> tuple[str, ...]:
    """A sentence where no single cluster can reach a notable q, whatever its difference."""
    least_q = compared.least_p * len(compared.differences)
    if least_q <= NOTABLE_Q:
        return ()
    return (
        f"With so few subjects p cannot be below {number(compared.least_p)}, nor can a difference of one cluster alone reach "
        f"q = {NOTABLE_Q}: that none is found says nothing.",
    )


def _row(d: ClusterDifference, name: str) -> tuple[Cell, ...]:
    return (name, *d.means, *(_ratio(effect) for effect in d.effects), d.p, d.q)


def _ratio(effect: Effect) -> str:
    return f"{effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f})"

"""dependence_section: the report's section on what the clusters depend on: slide, subject, stain, scanner, site, group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .dependence_cautions import silent_reasons
from .numbers import percent
from .page import Column, Section, Table
from .spreadsheet import Cell

if TYPE_CHECKING:
    from ...models.evaluation.bound import BoundCluster
    from ...models.evaluation.dependence import Dependence

COLUMNS = (
    Column("Column"),
    Column("Values", "number"),
    Column("Slides", "number"),
    Column("Information", "number"),
    Column("Above chance", "number"),
    Column("p", "number"),
)


def dependence_section(
    found: Sequence[Dependence], bound: Sequence[BoundCluster], *, absent: Sequence[str] = ()
) -> Section:
    """Information of cluster and each column, and bound clusters; `absent` are columns that the user's list does not have."""
    text = (
        "Information is the normalised mutual information of a tile's cluster and its slide's value in a column: 0, the "
        "value says nothing of the cluster; 1, each says the other. Above chance: what is left after that which the same "
        "values, given to other slides or subjects at random, share with the clusters; 0 or less is no more than chance. Of "
        "the slide itself, chance gives tiles to other slides. High information may be biology (group, subject), or how "
        "slides were made (stain, scanner, site)."
    )
    texts = [text, *silent_reasons(found)]
    if absent:
        texts.append(f"The list of slides has no column {' or '.join(absent)}: nothing can be said of it.")
    tables = (
        (Table(COLUMNS, tuple(_row(d) for d in found if not d.reason)),) if any(not d.reason for d in found) else ()
    )
    return Section("Clusters and what they depend on", tuple(texts), tables=(*tables, *_bound_table(bound)))


def _row(d: Dependence) -> tuple[Cell, ...]:
    p = None if np.isnan(d.p) else round(d.p, 3)
    return d.column, d.values, d.slides, f"{d.nmi:.2f}", f"{d.adjusted:.2f}", p


def _bound_table(bound: Sequence[BoundCluster]) -> tuple[Table, ...]:
    if not bound:
        return ()
    columns = (
        Column("Cluster", "number"),
        Column("Lies on"),
        Column("Share of its tiles"),
        Column("Share of all tiles"),
    )
    rows: list[tuple[Cell, ...]] = [
        (b.cluster, f"{b.column} {b.value}", percent(b.share), percent(b.prevalence)) for b in bound
    ]
    return (Table(columns, tuple(rows), "Clusters that lie almost wholly on one slide, stain, scanner or site"),)

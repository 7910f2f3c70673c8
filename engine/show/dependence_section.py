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


def _columns(noun: str) -> tuple[Column, ...]:
    names = ("Values", f"{noun.capitalize()}s", "Information", "Above chance", "p")
    return (Column("Column"), *(Column(name, "number") for name in names))


def dependence_section(
    found: Sequence[Dependence],
    bound: Sequence[BoundCluster],
    *,
    absent: Sequence[str] = (),
    others: str = "",
    noun: str = "slide",
) -> Section:
    """Information of cluster and each column, and bound clusters; `absent` are columns that the user's list does not have,
    `others` names those of words that it has and that nothing is held against.

    `noun` is what an image is called.
    """
    text = (
        f"Information is the normalised mutual information of a tile's cluster and its {noun}'s value in a column: 0, the "
        "value says nothing of the cluster; 1, each says the other. Above chance: what is left after that which the same "
        f"values, given to other {noun}s or subjects at random, share with the clusters; 0 or less is no more than chance. Of "
        f"the {noun} itself, chance gives tiles to other {noun}s. High information may be biology (group, subject), or how "
        f"{noun}s were made ({'stain, ' if noun != 'volume' else ''}scanner, site)."
    )
    texts = [text, *silent_reasons(found, noun)]
    if absent:
        texts.append(f"The list of {noun}s has no column {' or '.join(absent)}: nothing can be said of it.")
    if others:
        rename = ", ".join(name for name in absent if name in ("group", "site", "scanner", "stain"))
        how = f" To compare by one of them, give it one of these headings in the list: {rename}." if rename else ""
        texts.append(f"Among the list's columns of words, not compared: {others}.{how}")
    tables = (
        (Table(_columns(noun), tuple(_row(d, noun) for d in found if not d.reason)),)
        if any(not d.reason for d in found)
        else ()
    )
    return Section("Clusters and what they depend on", tuple(texts), tables=(*tables, *_bound_table(bound, noun)))


def _row(d: Dependence, noun: str) -> tuple[Cell, ...]:
    p = None if np.isnan(d.p) else round(d.p, 3)
    return noun if d.column == "slide" else d.column, d.values, d.slides, f"{d.nmi:.2f}", f"{d.adjusted:.2f}", p


def _bound_table(bound: Sequence[BoundCluster], noun: str) -> tuple[Table, ...]:
    if not bound:
        return ()
    columns = (
        Column("Cluster", "number"),
        Column("Lies on"),
        Column("Share of its tiles"),
        Column("Share of all tiles"),
    )
    rows: list[tuple[Cell, ...]] = [
        (b.cluster, f"{noun if b.column == 'slide' else b.column} {b.value}", percent(b.share), percent(b.prevalence))
        for b in bound
    ]
    return (Table(columns, tuple(rows), f"Clusters that lie almost wholly on one {noun}, stain, scanner or site"),)

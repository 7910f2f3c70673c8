"""nearest_section: the report's section on which clusters are most alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .legend import Legend
from .numbers import number
from .page import Column, Section, Table
from .spreadsheet import Cell


class Near(Protocol):
    """A cluster near another one."""

    @property
    def name(self) -> str: ...

    @property
    def distance(self) -> float: ...


def nearest_section(nearest: Mapping[int, Sequence[Near]], *, legend: Legend, listed: int = 2) -> Section:
    """A row a cluster: its nearest clusters, each with the distance of the two centres; `listed` of them."""
    text = (
        "Distance of the centres of two clusters, in the space in which clusters are found: principal components of "
        "standardised embeddings. Clusters near to each other are the first to unite at a coarser level, as a rule, and the "
        "first to suspect of being one tissue."
    )
    columns = [Column("Cluster")]
    for rank in ("Nearest", "Second nearest", "Third nearest")[:listed]:
        columns += [Column(rank), Column("Distance", "number")]
    rows: list[tuple[Cell, ...]] = []
    for label, name, _ in legend:
        cells = [cell for near in nearest.get(label, ()) for cell in (near.name, number(round(near.distance, 2)))]
        rows.append((name, *cells, *(None,) * (2 * listed - len(cells))))
    return Section("Nearest clusters", (text,), tables=(Table(tuple(columns), tuple(rows)),))

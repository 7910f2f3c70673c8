"""match_section: the report's section on the old run whose numbers, colours and names the clusters took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .numbers import percent
from .page import Column, Section, Table
from .spreadsheet import Cell


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A cluster and its counterpart in the old run."""

    name: str
    share: float | None = None
    """Share of the cluster's tiles that lie in its counterpart; None where it has no counterpart."""
    other_share: float | None = None
    """Share of the counterpart's tiles that lie in the cluster."""


@dataclass(frozen=True, slots=True)
class MatchSummary:
    """A matching of a run's clusters with those of an old run."""

    run: str
    slides: int
    tiles: int
    """Tiles that both runs have labelled."""
    level: int
    same: float
    """Share of these tiles that have the same number in both runs at that level."""
    missing: tuple[str, ...] = ()
    """Clusters of the old run without a counterpart."""
    unseen: tuple[str, ...] = ()
    """Those that have no tile on the images that both runs have."""
    others: tuple[str, ...] = ()
    """Images that both runs have under the same name, but of another size or content."""


def match_section(summary: MatchSummary, rows: Sequence[MatchRow]) -> Section:
    """A row a cluster that is shown."""
    text = (
        f"Numbers, colours and names are those of the run in {summary.run}, by {summary.tiles:,} tiles of {summary.slides} "
        f"images that both runs have. At {summary.level} clusters {percent(summary.same)} have the same number in both. "
        "A cluster without a counterpart has a number that the old run does not show; a cluster that unites several at this "
        "level has the number of its largest part."
    )
    notes = (
        ("Not found again: {}. Their numbers are not used.", summary.missing),
        ("Not on these images, so not compared: {}. Their numbers are not used.", summary.unseen),
        ("Not compared, as the old run has images of this name with another size or content: {}.", summary.others),
    )
    missing = [note.format(", ".join(names)) for note, names in notes if names]
    columns = (
        Column("Cluster"),
        Column("Of its tiles, in the old cluster of this number", "share"),
        Column("Of that cluster's tiles, in this one", "share"),
    )
    cells: list[tuple[Cell, ...]] = [
        (row.name, "no counterpart" if row.share is None else row.share, row.other_share) for row in rows
    ]
    return Section("Compared with the old run", (text, *missing), tables=(Table(columns, tuple(cells)),))

"""old_numbers: which clusters have the numbers of an old run, as a section of the report."""

from __future__ import annotations

from ...show.match_section import MatchRow, MatchSummary, match_section
from ...show.page import Section
from .numbering import Numbering
from .shown import ShownClusters


def old_numbers_section(numbering: Numbering, shown: ShownClusters) -> Section:
    """What corresponds, for the clusters that are shown."""
    found = {cluster.number: cluster for cluster in numbering.matched}
    rows = []
    for number, name in zip(shown.numbers, shown.names, strict=True):
        one = found.get(number)
        rows.append(MatchRow(name, one.share, one.other_share) if one else MatchRow(name))
    summary = MatchSummary(
        run=numbering.run,
        slides=len(numbering.slides),
        tiles=numbering.tiles,
        level=numbering.level,
        same=numbering.same or 0.0,
        missing=numbering.missing,
    )
    return match_section(summary, rows)

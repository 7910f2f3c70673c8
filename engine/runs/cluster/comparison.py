"""comparison: which of the shown clusters have the numbers of an old run, and how far they are the same, at the shown level."""

from __future__ import annotations

import numpy as np

from ...pipeline.documents import Document, JsonNumber, Part, find_document
from ...pipeline.job import Job
from ...show.match_section import MatchRow, MatchSummary, match_section
from ...show.page import Section
from .documents import Clusters
from .numbering import Numbering
from .settings import ClusterSettings
from .shown import ShownClusters

COMPARISON = "models/comparison"


class ComparedCluster(Part):
    """A cluster that is shown and has tiles of its own: merged into another one, it has none."""

    number: int
    name: str
    share: JsonNumber = None
    """Share of the cluster's tiles that lie in the old cluster of this number; None where it has no counterpart."""
    other_share: JsonNumber = None
    """Share of that cluster's tiles that lie in the cluster."""


class Comparison(Document):
    """models/comparison.json: the shown clusters beside those of the old run, by the tiles of common images."""

    run: str
    """Folder of the old run."""
    slides: tuple[str, ...]
    """Images that both runs have."""
    others: tuple[str, ...]
    """Names of images that both runs have under the same name, but of another size or content."""
    tiles: int
    """Tiles that both runs have labelled."""
    level: int
    """The level that is shown: all shares are of its clusters."""
    same: JsonNumber
    """Share of these tiles that have the same number in both runs."""
    clusters: tuple[ComparedCluster, ...]
    missing: tuple[str, ...]
    """Names of the old run's clusters without a counterpart at any level that was matched."""
    unseen: tuple[str, ...]
    """Names of those that have no tile on the common images."""


def compare(tree: Clusters, numbering: Numbering, shown: ShownClusters) -> Comparison:
    """Shares of the shown clusters, merges included."""
    shown_as = shown.number[1:][np.argsort(tree.numbers)]  # number in the tree - 1 -> number that is shown
    table = np.zeros((256, len(numbering.old)), np.int64)
    np.add.at(table, shown_as, np.asarray(numbering.overlap, np.int64))
    clusters, same = [], 0
    for number, name in zip(shown.numbers, shown.names, strict=True):
        if number in shown.into:
            continue
        if number not in numbering.matched:
            clusters.append(ComparedCluster(number=number, name=name))
            continue
        column = table[:, numbering.old.index(number)]
        common, own = int(column[number]), int(table[number].sum())
        same += common
        share, other = common / max(1, own), common / max(1, int(column.sum()))
        clusters.append(ComparedCluster(number=number, name=name, share=round(share, 4), other_share=round(other, 4)))
    return Comparison(
        run=numbering.run,
        slides=numbering.slides,
        others=numbering.others,
        tiles=int(table.sum()),
        level=shown.level,
        same=round(same / max(1, int(table.sum())), 4),
        clusters=tuple(clusters),
        missing=numbering.missing,
        unseen=numbering.unseen,
    )


def comparison_sections(job: Job[ClusterSettings]) -> tuple[Section, ...]:
    """The report's section on the old run; none where the clusters were not matched."""
    found = find_document(job.folder, COMPARISON, Comparison)
    if found is None:
        return ()
    rows = [MatchRow(one.name, one.share, one.other_share) for one in found.clusters]
    summary = MatchSummary(
        run=found.run,
        slides=len(found.slides),
        tiles=found.tiles,
        level=found.level,
        same=found.same or 0.0,
        missing=found.missing,
        unseen=found.unseen,
        others=found.others,
    )
    return (match_section(summary, rows),)

"""numbering: the numbers, names and colours that the clusters of the tree are shown under: their own, or an old run's."""

from __future__ import annotations

from collections.abc import Collection

from ...pipeline.documents import Document, JsonNumber, Part, find_document
from ...pipeline.job import Job
from ...show.palette import colour, hexadecimal
from .documents import Clusters
from .settings import ClusterSettings

NUMBERING = "models/numbering"
MAX_NUMBER = 255
"""Labels are 8-bit numbers."""


class MatchedCluster(Part):
    """A cluster that has a counterpart in the old run, and so its number."""

    number: int
    level: int
    """The coarsest level that has the cluster."""
    share: JsonNumber
    """Share of the cluster's tiles that lie in the counterpart."""
    other_share: JsonNumber
    """Share of the counterpart's tiles that lie in the cluster."""


class Numbering(Document):
    """models/numbering.json: what each cluster of the tree is shown under."""

    numbers: tuple[int, ...]
    """Number in the tree - 1 -> number in labels, tables, maps and report."""
    names: tuple[str, ...]
    colours: tuple[str, ...]
    """Number in the tree - 1 -> colour as #rrggbb."""
    run: str = ""
    """Folder of the old run; empty where the clusters have their own numbers."""
    slides: tuple[str, ...] = ()
    """Images that both runs have."""
    tiles: int = 0
    """Tiles that both runs have labelled."""
    level: int = 0
    """The level whose clusters were matched first: the recommended one."""
    same: JsonNumber = 0.0
    """Share of these tiles that have the same number in both runs, at this level."""
    matched: tuple[MatchedCluster, ...] = ()
    missing: tuple[str, ...] = ()
    """Names of the old run's clusters without a counterpart; their numbers are not used."""

    @classmethod
    def own(cls, tree: Clusters) -> Numbering:
        """The tree's own numbers."""
        return cls(numbers=tuple(range(1, tree.finest + 1)), names=tree.names, colours=tree.colours)

    @property
    def alone(self) -> Numbering:
        """Numbers, names and colours, without the comparison: for a run on other images."""
        return Numbering(numbers=self.numbers, names=self.names, colours=self.colours)


def numbering_of(job: Job[ClusterSettings], tree: Clusters) -> Numbering:
    """The numbering in use; the tree's own where it was not written yet."""
    return find_document(job.folder, NUMBERING, Numbering) or Numbering.own(tree)


def unused_numbers(count: int, used: Collection[int]) -> list[int]:
    """Numbers after all that are used."""
    return list(range(max(used, default=0) + 1, max(used, default=0) + 1 + count))


def unused_colour(number: int, used: Collection[str]) -> str:
    """The palette's colour of a number, or where it is in use, the first one that is not."""
    candidates = (number, *range(1, MAX_NUMBER + len(used)))
    return next(text for n in candidates if (text := hexadecimal(colour(n))) not in used)

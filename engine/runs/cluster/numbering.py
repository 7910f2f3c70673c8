"""numbering: the numbers, names and colours that the clusters of the tree are shown under: their own, or an old run's."""

from __future__ import annotations

from collections.abc import Collection

from ...pipeline.documents import Document, find_document
from ...pipeline.job import Job
from ...show.palette import colour, hexadecimal
from .documents import Clusters, Colour
from .settings import ShownSettings

NUMBERING = "models/numbering"
MAX_NUMBER = 255
"""Labels are 8-bit numbers."""


class Numbering(Document):
    """models/numbering.json: what each cluster of the tree is shown under."""

    numbers: tuple[int, ...]
    """Number in the tree - 1 -> number in labels, tables, maps and report."""
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    """Number in the tree - 1 -> colour as #rrggbb."""
    run: str = ""
    """Folder of the old run; empty where the clusters have their own numbers."""
    slides: tuple[str, ...] = ()
    """Images that both runs have."""
    others: tuple[str, ...] = ()
    """Names of images that both runs have under the same name, but of another size or content: they were not compared."""
    level: int = 0
    """The level whose clusters were matched first: the recommended one."""
    old: tuple[int, ...] = ()
    """Numbers of the clusters that the old run shows."""
    overlap: tuple[tuple[int, ...], ...] = ()
    """Number in the tree - 1 -> tiles in each of `old`, on these images."""
    matched: tuple[int, ...] = ()
    """Numbers of clusters that have a counterpart in the old run."""
    missing: tuple[str, ...] = ()
    """Names of the old run's clusters without a counterpart; their numbers are not used."""
    unseen: tuple[str, ...] = ()
    """Names of those that have no tile on the common images; their numbers are not used either."""

    @classmethod
    def own(cls, tree: Clusters) -> Numbering:
        """The tree's own numbers."""
        return cls(numbers=tuple(range(1, tree.finest + 1)), names=tree.names, colours=tree.colours)

    def fits(self, tree: Clusters) -> bool:
        """Whether each cluster of the tree has its number, name and colour."""
        return {len(self.numbers), len(self.names), len(self.colours)} == {tree.finest}

    @property
    def alone(self) -> Numbering:
        """Numbers, names and colours, without the comparison: for a run on other images."""
        return Numbering(numbers=self.numbers, names=self.names, colours=self.colours)


def numbering_of(job: Job[ShownSettings], tree: Clusters) -> Numbering:
    """The numbering in use; the tree's own where it was not written yet."""
    return find_document(job.folder, NUMBERING, Numbering) or Numbering.own(tree)


def unused_numbers(count: int, used: Collection[int]) -> list[int]:
    """Numbers after all that are used."""
    return list(range(max(used, default=0) + 1, max(used, default=0) + 1 + count))


def unused_colour(number: int, used: Collection[str]) -> str:
    """The palette's colour of a number, or where it is in use, the first one that is not."""
    candidates = (number, *range(1, MAX_NUMBER + len(used)))
    return next(text for n in candidates if (text := hexadecimal(colour(n))) not in used)

"""levels: all levels of a run's tree of clusters of tiles, or of groups of subjects: the name and colour of each fine one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...models.clustering.tree import number_at
from ...stores.frame import Array
from ..pipeline.documents import find_document, read_document
from ..pipeline.job import Job
from ..runs.cluster.classes import read_classes
from ..runs.cluster.documents import CLUSTERS, VALIDITY, Clusters, Validity
from ..runs.cluster.numbering import numbering_of
from ..runs.cluster.settings import ShownSettings
from ..runs.cluster.shown import ShownClusters, rgb, shown_of
from ..runs.cluster.subjects.documents import GROUPS, Groups
from ..runs.cluster.subjects.settings import SubjectSettings
from ..runs.cluster.subjects.tree import shown_level
from ..runs.cluster.tree import of_images
from ..show.palette import hexadecimal
from .cloud import first_volumes


@dataclass(frozen=True, slots=True)
class Tree:
    """The levels of a tree of clusters, and what a user changed of it."""

    levels: dict[int, ShownClusters]
    """Level -> its clusters, from 2 to the finest; of a tree of one cluster, that one."""
    shown: int
    """The level of labels, tables and maps."""
    recommended: int
    """0 where no level is reproducible."""
    reproducible: tuple[int, ...]
    tiles: dict[str, tuple[int, ...]]
    """Image -> tissue tiles of each fine cluster + 1, none of 0; of groups, 1 for the subject whose first volume it is."""
    can_be_named: bool = True
    """Whether `relabel` takes names: of clusters of tiles, not of groups of subjects."""

    def colours(self, level: int, hidden: frozenset[int] = frozenset()) -> Array:
        """Colour of each fine cluster + 1 at a level, uint8 (256, 4); clear for 0 and for the numbers in `hidden`."""
        clusters = self.levels[level]
        out = np.zeros((256, 4), np.uint8)
        for fine, number in enumerate(clusters.number.tolist()):
            if fine and number not in hidden:
                out[fine] = (*clusters.colour_of[number], 255)
        return out

    def document(self) -> dict[str, Any]:
        """The tree as JSON values, for the page."""
        return {
            "shown": self.shown,
            "recommended": self.recommended,
            "reproducible": list(self.reproducible),
            "can_be_named": self.can_be_named,
            "tiles": np.sum([*self.tiles.values()], axis=0).tolist(),
            "levels": {str(level): _level(clusters) for level, clusters in self.levels.items()},
        }


def tree_of(job: Job[Any]) -> Tree | None:
    """The tree of a run that has clusters or groups; None of another, and of one whose clusters are not ordered yet."""
    if isinstance(job.settings, SubjectSettings):
        return _tree_of_groups(job)
    if not isinstance(job.settings, ShownSettings):
        return None
    tree = find_document(job.folder, CLUSTERS, Clusters)
    if tree is None:
        return None
    tree = of_images(tree, job.slides)
    numbering, settings = numbering_of(job, tree), job.settings
    whole = tree.model_copy(update={"slides": {}})  # counts by slide at every level would take minutes for 10^4 slides
    levels = {}
    for level in range(min(2, tree.finest), tree.finest + 1):
        levels[level] = shown_of(whole, numbering, settings.model_copy(update={"level": level}))
    validity = read_document(job.folder, VALIDITY, Validity)
    recommended = 0 if validity.k == 1 else tree.recommended
    order = np.asarray(tree.numbers) - 1
    tiles = {image: (0, *np.asarray(counts)[order].tolist()) for image, counts in tree.slides.items()}
    return Tree(levels, shown_of(whole, numbering, settings).level, recommended, validity.passing, tiles)


def _tree_of_groups(job: Job[SubjectSettings]) -> Tree | None:
    groups = find_document(job.folder, GROUPS, Groups)
    if groups is None:
        return None
    fine, cases = np.asarray(groups.fine), first_volumes(job)
    levels = {}
    shown = shown_level(job, groups)
    for level in range(min(2, shown), groups.finest + 1):  # 1 where no number of groups comes back
        number = np.zeros(groups.finest + 1, np.uint8)
        number[1:] = number_at(groups.parents, level)
        counts = np.bincount(number[fine], minlength=level + 1)[1:]
        levels[level] = ShownClusters(
            level=level,
            numbers=tuple(range(1, level + 1)),
            number=number,
            names=tuple(f"group {n}" for n in range(1, level + 1)),
            colours=tuple(map(rgb, groups.colours[:level])),
            tiles=tuple(counts.tolist()),
            slides={},
            into={},
        )
    case_of = dict(zip(cases, fine.tolist(), strict=True))
    ones = np.eye(groups.finest + 1, dtype=int)
    none = (0,) * (groups.finest + 1)
    tiles = {image: tuple(ones[case_of[i]].tolist()) if i in case_of else none for i, image in enumerate(job.slides)}
    recommended = groups.recommended if groups.recommended > 1 else 0
    validity = read_document(job.folder, VALIDITY, Validity)
    return Tree(levels, shown, recommended, validity.passing, tiles, can_be_named=False)


def tree_to_be(job: Job[Any], level: int, classes: Path) -> Tree | None:
    """The tree as it will be under another level and the names, colours and merges of a CSV; nothing is written.

    Raises SettingsError for what `relabel` refuses of them.
    """
    try:
        rows = read_classes(classes)
    except ValueError as error:  # "classes: FILE, line 2: the name ...", and nobody knows the file
        raise SettingsError(str(error).split(": ", 2)[-1], "E_CLASSES") from error
    return tree_of(replace(job, settings=job.settings.model_copy(update={"level": level, "classes": rows})))


def _level(clusters: ShownClusters) -> dict[str, Any]:
    return {
        "numbers": list(clusters.numbers),
        "names": list(clusters.names),
        "colours": [hexadecimal(colour) for colour in clusters.colours],
        "number": clusters.number.tolist(),  # of each fine cluster + 1
        "into": clusters.into,
    }

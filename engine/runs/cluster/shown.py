"""shown: the clusters that labels, tables and maps show: a level of the tree, with the user's names, colours and merges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ...pipeline.job import Job
from ...show.palette import Colour
from .documents import Clusters
from .numbering import Numbering, numbering_of
from .settings import ClusterSettings, ShownSettings
from .tree import clusters_document


@dataclass(frozen=True, slots=True)
class ShownClusters:
    """The clusters of a level, in the order of their numbers. Those that the user merged into another one have no tiles."""

    level: int
    numbers: tuple[int, ...]
    """1 to K, or those of the old run that the clusters were matched to."""
    number: Array
    """Fine cluster of the network + 1 -> number; 0 -> 0; uint8 (fine clusters + 1,)."""
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    tiles: tuple[int, ...]
    """Tissue tiles of each cluster."""
    slides: dict[str, tuple[int, ...]]
    """Image -> tissue tiles of each cluster."""
    into: dict[int, int]
    """Number -> the number that the user merged it into."""

    @property
    def colour_of(self) -> dict[int, Colour]:
        """Number -> colour."""
        return dict(zip(self.numbers, self.colours, strict=True))

    @property
    def legend(self) -> list[tuple[int, str, float]]:
        """(number, name, share of all tissue tiles) of every cluster."""
        return self.legend_of(self.tiles)

    def of_tree(self, tree: Clusters) -> Array:
        """Number in the tree, at the finest level - 1 -> number that is shown."""
        at = np.zeros(tree.finest, np.int64)
        at[np.asarray(tree.numbers) - 1] = self.number[1:]
        return at

    def legend_of(self, tiles: tuple[int, ...]) -> list[tuple[int, str, float]]:
        """The legend of one image, by its tiles of each cluster."""
        total = sum(tiles)
        shares = [n / total if total else float("nan") for n in tiles]
        return list(zip(self.numbers, self.names, shares, strict=True))


def shown_clusters(job: Job[ClusterSettings]) -> ShownClusters:
    """The clusters at the level of the settings, else at the recommended one; where no level is reproducible, the finest."""

    document = clusters_document(job)
    return shown_of(document, numbering_of(job, document), job.settings)


def shown_of(document: Clusters, numbering: Numbering, settings: ShownSettings) -> ShownClusters:
    """The same of a tree, its numbering, and the settings `level` and `classes`."""
    from ....models.clustering.tree import number_at

    level = settings.level or document.recommended
    level = document.finest if level == 1 else min(level, document.finest)
    check_classes(document, numbering, settings)
    numbers = np.asarray(numbering.numbers)
    at_level = numbers[number_at(document.parents, level) - 1]  # number in the tree, at the finest level - 1 -> number
    merges = merges_of(settings).items()
    standing = set(numbers[:level].tolist())
    into = {cluster: other for cluster, other in merges if {cluster, other} <= standing}
    for cluster, other in into.items():
        at_level[at_level == cluster] = other
    number = np.zeros(len(document.numbers) + 1, np.uint8)
    number[1:] = at_level[np.asarray(document.numbers) - 1]
    names, colours = names_and_colours(numbering, settings)
    order = np.argsort(numbers[:level])

    def counts(tiles: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(np.bincount(at_level, weights=tiles, minlength=256)[numbers[order]].astype(int).tolist())

    return ShownClusters(
        level=level,
        numbers=tuple(numbers[order].tolist()),
        number=number,
        names=tuple(names[i] for i in order),
        colours=tuple(rgb(colours[i]) for i in order),
        tiles=counts(document.tiles),
        slides={slide: counts(tiles) for slide, tiles in document.slides.items()},
        into=into,
    )


def names_and_colours(numbering: Numbering, settings: ShownSettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name and colour (#rrggbb) of each cluster of the tree, as the user changed them."""
    names, colours = list(numbering.names), list(numbering.colours)
    for cluster, name, colour, _ in settings.classes:
        index = numbering.numbers.index(cluster)
        names[index] = name or names[index]
        colours[index] = colour or colours[index]
    return tuple(names), tuple(colours)


def merges_of(settings: ShownSettings) -> dict[int, int]:
    """Cluster -> the cluster that the user merged it into; a merge takes effect at the levels that have both."""
    return {cluster: into for cluster, _, _, into in settings.classes if into}


def check_level(document: Clusters, settings: ShownSettings) -> None:
    """Raises SettingsError (E_LEVEL) for a level that the tree does not have."""
    if settings.level > document.finest:
        raise SettingsError(
            f"--level {settings.level}: the finest level of this run has {document.finest} clusters. Choose 2 to "
            f"{document.finest}.",
            "E_LEVEL",
        )


def check_classes(document: Clusters, numbering: Numbering, settings: ShownSettings) -> None:
    """Raises SettingsError (E_CLASSES, E_LEVEL) for clusters and levels that the tree does not have."""
    check_level(document, settings)
    check_merges(settings)
    for cluster, _, _, into in settings.classes:
        unknown = {cluster, into} - {0, *numbering.numbers}
        if unknown:
            raise SettingsError(
                f"--classes names cluster {max(unknown)}, and the finest level of this run has {document.finest} "
                f"clusters{_listed(numbering)}. The numbers stand in clusters.csv and in the report of the run.",
                "E_CLASSES",
            )


def check_merges(settings: ShownSettings) -> None:
    """Raises SettingsError (E_CLASSES) for a merge into a cluster that is itself merged."""
    merged = merges_of(settings)
    for cluster, into in merged.items():
        if into in merged:
            raise SettingsError(
                f"--classes merges cluster {cluster} into {into}, which is itself merged into another one: the result would "
                "depend on the order. Merge both into the last one.",
                "E_CLASSES",
            )


def check_most(most: int, settings: ShownSettings) -> None:
    """Raises SettingsError (E_LEVEL, E_CLASSES) for a level, and for numbers of clusters, that no tree of these settings has.

    `most`: clusters of its finest level at most. The numbers that a match gives are known only behind it."""
    if settings.level > most:
        raise SettingsError(
            f"--level {settings.level}: the tree of clusters of a run with these settings has at most {most} clusters at its "
            f"finest level. Choose 2 to {most}.",
            "E_LEVEL",
        )
    highest = max((max(cluster, into) for cluster, _, _, into in settings.classes), default=0)
    if highest > most and not settings.match:
        raise SettingsError(
            f"--classes names cluster {highest}, and a run with these settings has at most {most} clusters at its finest "
            "level. The numbers stand in clusters.csv and in the report of the run.",
            "E_CLASSES",
        )


def _listed(numbering: Numbering) -> str:
    """The numbers, where they are not simply 1 to the last one."""
    numbers = sorted(numbering.numbers)
    return f": {', '.join(map(str, numbers))}" if numbers[-1] > len(numbers) else ""


def rgb(colour: str) -> Colour:
    """Red, green and blue, 0 to 255, of #rrggbb."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue

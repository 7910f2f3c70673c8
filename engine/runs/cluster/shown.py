"""shown: the clusters that labels, tables and maps show: a level of the tree, with the user's names, colours and merges."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from ...pipeline.documents import find_document
from ...pipeline.job import Job
from ...show.palette import Colour
from .documents import CLUSTERS, Clusters
from .settings import ClusterSettings
from .tree import clusters_document


@dataclass(frozen=True, slots=True)
class ShownClusters:
    """Clusters 1 to K of a level. Clusters that the user merged into another one keep their number and have no tiles."""

    level: int
    number: Array
    """Fine cluster of the network + 1 -> number; 0 -> 0; uint8 (fine clusters + 1,)."""
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    tiles: tuple[int, ...]
    """Number - 1 -> tissue tiles."""
    slides: dict[str, tuple[int, ...]]
    """Image -> tissue tiles of each number."""
    into: dict[int, int]
    """Number -> the number that the user merged it into."""

    @property
    def legend(self) -> list[tuple[int, str, float]]:
        """(number, name, share of all tissue tiles) of every cluster."""
        return self.legend_of(self.tiles)

    def legend_of(self, tiles: tuple[int, ...]) -> list[tuple[int, str, float]]:
        """The legend of one image, by its tiles of each number."""
        total = sum(tiles)
        shares = [n / total if total else float("nan") for n in tiles]
        return [(i, name, share) for i, (name, share) in enumerate(zip(self.names, shares, strict=True), 1)]


def shown_clusters(job: Job[ClusterSettings]) -> ShownClusters:
    """The clusters at the level of the settings, else at the recommended one; where no level is reproducible, the finest."""
    from ....models.clustering.tree import number_at

    document, settings = clusters_document(job), job.settings
    level = settings.level or document.recommended
    level = document.finest if level == 1 else min(level, document.finest)
    check_classes(document, settings)
    into = {cluster: other for cluster, other in merges_of(settings).items() if max(cluster, other) <= level}
    at_level = number_at(document.parents, level)  # number at the finest level - 1 -> number
    for cluster, other in into.items():
        at_level[at_level == cluster] = other
    number = np.zeros(len(document.numbers) + 1, np.uint8)
    number[1:] = at_level[np.asarray(document.numbers) - 1]
    names, colours = names_and_colours(document, settings)

    def counts(tiles: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(np.bincount(at_level, weights=tiles, minlength=level + 1)[1:].astype(int).tolist())

    return ShownClusters(
        level=level,
        number=number,
        names=names[:level],
        colours=tuple(_rgb(colour) for colour in colours[:level]),
        tiles=counts(document.tiles),
        slides={slide: counts(tiles) for slide, tiles in document.slides.items()},
        into=into,
    )


def names_and_colours(document: Clusters, settings: ClusterSettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name and colour (#rrggbb) of each number of the finest level, as the user changed them."""
    names, colours = list(document.names), list(document.colours)
    for cluster, name, colour, _ in settings.classes:
        names[cluster - 1] = name or names[cluster - 1]
        colours[cluster - 1] = colour or colours[cluster - 1]
    return tuple(names), tuple(colours)


def merges_of(settings: ClusterSettings) -> dict[int, int]:
    """Cluster -> the cluster that the user merged it into; a merge takes effect at the levels that have both."""
    return {cluster: into for cluster, _, _, into in settings.classes if into}


def check_shown(job: Job[ClusterSettings], stale: Collection[str]) -> None:
    """Check level and classes against the tree that the run has, unless its steps are to be done again."""
    document = find_document(job.folder, CLUSTERS, Clusters)
    if document is not None and "order_clusters" not in stale:
        check_classes(document, job.settings)


def check_classes(document: Clusters, settings: ClusterSettings) -> None:
    """Raises SettingsError (E_CLASSES, E_LEVEL) for clusters and levels that the tree does not have."""
    if settings.level > document.finest:
        raise SettingsError(
            f"--level {settings.level}: the finest level of this run has {document.finest} clusters. Choose 2 to "
            f"{document.finest}.",
            "E_LEVEL",
        )
    merged = merges_of(settings)
    for cluster, _, _, into in settings.classes:
        unknown = max(cluster, into)
        if unknown > document.finest:
            raise SettingsError(
                f"--classes names cluster {unknown}, and the finest level of this run has {document.finest} "
                "clusters. The numbers stand in clusters.csv and in the report of the run.",
                "E_CLASSES",
            )
        if into in merged:
            raise SettingsError(
                f"--classes merges cluster {cluster} into {into}, which is itself merged into another one: the result would "
                "depend on the order. Merge both into the last one.",
                "E_CLASSES",
            )


def _rgb(colour: str) -> Colour:
    """Red, green and blue, 0 to 255, of #rrggbb."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue

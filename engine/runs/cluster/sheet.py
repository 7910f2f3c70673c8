"""sheet: patches of every cluster of the tree, read once for the report's slider."""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...show.patch_sheet import COLUMNS, SIDE, PatchSheet, sheet_picture
from .documents import Clusters
from .gallery import GalleryTiles, patches_of
from .settings import ClusterSettings

PATCHES_OF_FINE = 3
"""Random patches of a fine cluster, and central ones and those at the border of any cluster."""


def patch_sheet(job: Job[ClusterSettings], tree: Clusters, tiles: GalleryTiles) -> PatchSheet:
    """The sheet of patches of all levels of the tree."""
    fine = tiles.fine
    members = {n: np.flatnonzero(fine.fine == n - 1) for n in range(1, tree.finest + 1)}
    random = {n: fine.random(rows, PATCHES_OF_FINE) for n, rows in members.items() if len(rows)}
    groups = groups_of(tree.parents)
    of_groups = {name: np.flatnonzero(np.isin(fine.fine, group)) for name, group in groups.items()}
    central = {name: fine.central(rows, PATCHES_OF_FINE) for name, rows in of_groups.items() if len(rows)}
    border = {name: fine.border(group, PATCHES_OF_FINE) for name, group in groups.items()}
    chosen = np.unique(np.concatenate([*central.values(), *random.values(), *(rows for rows, _ in border.values())]))
    chosen = chosen.astype(np.int64)

    def at(rows: Array) -> list[int]:
        return list(map(int, np.searchsorted(chosen, rows)))

    return PatchSheet(
        source=sheet_picture(patches_of(job, tiles, chosen)),
        side=SIDE,
        columns=COLUMNS,
        central={name: tuple(at(rows)) for name, rows in central.items()},
        random={n: tuple(zip(at(rows), fine.key[rows].tolist(), strict=True)) for n, rows in random.items()},
        border={
            name: tuple(zip(at(rows), (beyond + 1).tolist(), strict=True)) for name, (rows, beyond) in border.items()
        },
    )


def groups_of(parents: tuple[int, ...]) -> dict[str, list[int]]:
    """ "number@level" -> fine clusters (number at the finest level - 1) of each cluster, at the level from which it has these.

    Level K changes two clusters: number K begins, and the one that it splits from becomes smaller.

    >>> groups_of((0, 1, 1))
    {'2@2': [1], '1@2': [0, 2], '3@3': [2], '1@3': [0]}
    """
    from ....models.clustering.tree import number_at

    groups = {}
    for level in range(2, len(parents) + 1):
        numbers = number_at(parents, level)
        for number in (level, parents[level - 1]):
            groups[f"{number}@{level}"] = np.flatnonzero(numbers == number).tolist()
    return groups

"""levels: the values of the report's slider, which shows every level of the tree of clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...show.levels import LevelMap, LevelsView, level_map, plane_map, strip
from .documents import VALIDITY, Clusters, Validity
from .gallery import nearest_patches
from .settings import ClusterSettings
from .shown import ShownClusters, merges_of, names_and_colours
from .tree import clusters_document

PATCHES_OF_FINE = 4
"""Patches that show a fine cluster."""


def levels_view(job: Job[ClusterSettings], shown: ShownClusters, table: Any) -> LevelsView:
    """The tree with the maps of all images, or of volumes their middle planes, and patches of each fine cluster."""
    document = clusters_document(job)
    validity = read_document(job.folder, VALIDITY, Validity)
    numbers = np.asarray((0, *document.numbers), np.uint8)
    of_rows = numbers[table.obs["assignment"].to_numpy().astype(int)]
    patches = nearest_patches(job, table, of_rows.astype(int), PATCHES_OF_FINE)
    names, colours = names_and_colours(document, job.settings)
    return LevelsView(
        parents=document.parents,
        names=names,
        colours=colours,
        into=merges_of(job.settings),
        shown=shown.level,
        recommended=0 if validity.k == 1 else document.recommended,
        reproducible=validity.passing,
        maps=tuple(_map(job, document, slide, numbers) for slide in job.slides),
        plane=plane_map(np.asarray(table.obsm["X_umap"]), of_rows) if "X_umap" in table.obsm else None,
        patches={number: strip(rgb) for number, rgb in patches.items()},
    )


def _map(job: Job[ClusterSettings], document: Clusters, slide: str, numbers: Array) -> LevelMap:
    stored = StoredImage.open(job.folder.layer(slide, "assignment"))
    fine = numbers[stored.read(stored.frames[0].box)[0]]
    if fine.ndim == 3:
        fine = fine[int(np.argmax(fine.any((1, 2)).cumsum() > fine.any((1, 2)).sum() // 2))][::-1]
    return level_map(job.slides[slide].name, fine, document.slides[slide], len(job.slides))

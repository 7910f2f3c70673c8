"""levels: the values of the report's slider, which shows every level of the tree of clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.image import StoredImage
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...show.levels import MAX_LEVEL_MAPS, LevelMap, LevelsView, level_map, plane_map
from ...show.short_names import distinct_names
from ...steps.layouts import layout_in
from ...steps.volumes.planes import axial
from .documents import VALIDITY, Clusters, Validity
from .gallery import GalleryTiles
from .nearest import tree_centres
from .numbering import numbering_of
from .settings import ClusterSettings
from .sheet import patch_sheet
from .shown import ShownClusters, merges_of, names_and_colours
from .tree import clusters_document


def levels_view(job: Job[ClusterSettings], shown: ShownClusters, table: Any, tiles: GalleryTiles) -> LevelsView:
    """The tree with the maps of all images, or of volumes their middle planes, and patches of each cluster."""
    document = clusters_document(job)
    validity = read_document(job.folder, VALIDITY, Validity)
    numbers = np.asarray((0, *document.numbers), np.uint8)
    of_rows = numbers[table.obs["assignment"].to_numpy().astype(int)]
    numbering = numbering_of(job, document)
    names, colours = names_and_colours(numbering, job.settings)
    in_tree = {number: i for i, number in enumerate(numbering.numbers, 1)}
    mapped, beyond = list(job.slides)[:MAX_LEVEL_MAPS], list(job.slides)[MAX_LEVEL_MAPS:]
    short = distinct_names(record.name for record in job.slides.values())
    return LevelsView(
        parents=document.parents,
        labels=numbering.numbers,
        names=names,
        colours=colours,
        into={in_tree[number]: in_tree[other] for number, other in merges_of(job.settings).items()},
        shown=shown.level,
        recommended=0 if validity.k == 1 else document.recommended,
        reproducible=validity.passing,
        maps=tuple(_map(job, document, slide, numbers, short[job.slides[slide].name]) for slide in mapped),
        plane=plane_map(found[0], of_rows, found[1]) if (found := layout_in(table)) else None,
        patches=patch_sheet(job, document, tiles) if len(table) else None,
        centres=tree_centres(job, document),
        beyond=len(beyond),
        tiles_beyond=tuple(np.sum([document.slides[slide] for slide in beyond], 0).tolist()) if beyond else (),
        seen="" if job.modality.planar else axial(job),
    )


def _map(job: Job[ClusterSettings], document: Clusters, slide: str, numbers: Array, short: str) -> LevelMap:
    stored = StoredImage.open(job.folder.layer(slide, "assignment"))
    fine = numbers[stored.read(stored.frames[0].box)[0]]
    if fine.ndim == 3:
        fine = fine[int(np.argmax(fine.any((1, 2)).cumsum() > fine.any((1, 2)).sum() // 2))][::-1]
    name = job.slides[slide].name
    found = level_map(name, fine, document.slides[slide], len(job.slides))
    return found if short == name else replace(found, short=short)

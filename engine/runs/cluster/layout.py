"""layout: the UMAP of the tiles, computed once and kept, so that other names or another level need no new one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....stores.array import ArraySpec, StoredArray, written
from ....stores.frame import Array, Box
from ....stores.image import StoredImage
from ...pipeline.documents import Document, JsonNumber, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.layouts import NO_LAYOUT
from ...steps.table import CELL, Layout, layout_of, row_counts, tile_columns
from .settings import ClusterSettings
from .tree import clusters_document

LAYOUT, ARRAY = "models/layout", "umap"
STEP = "layout"


class LayoutRecord(Document):
    """models/layout.json: the method of the layout in samples.zarr/umap, and how far apart clusters are in it."""

    method: str
    silhouettes: dict[int, JsonNumber]
    """Level -> silhouette of its clusters in the plane of the UMAP, on a sample of the tiles; empty without a UMAP."""


def lay_out(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Place the table's tiles in the plane, and measure how well the clusters of every level are apart there."""
    outcome, job = Outcome(), replace(job, slides=job.slides_before(STEP))
    with outcome.clock("read"):
        columns, counts = tile_columns(job)
        fine = fine_clusters_of(job, columns, counts)
    with outcome.clock("compute"):
        layout = layout_of(job, columns["X"], counts)
        silhouettes = level_silhouettes(job, layout, fine)
    with outcome.clock("write"):
        shape = layout.coordinates.shape
        spec = ArraySpec(shape, "float32", (max(1, shape[0]), 2), (max(1, shape[0]), 2), ("n", "axis"))
        array = StoredArray.create(job.folder.samples / ARRAY, spec)
        if shape[0]:
            outcome.files.append(array.write(Box((0, 0), shape), layout.coordinates.astype("float32")))
        outcome.files.append(written(array.path / "zarr.json"))
        outcome.files.append(write_document(job, LAYOUT, LayoutRecord(method=layout.method, silhouettes=silhouettes)))
    outcome.facts["umap"] = layout.method
    return outcome


def fine_clusters_of(job: Job[ClusterSettings], columns: dict[str, Array], counts: list[int]) -> Array:
    """Fine cluster of the network of each of the table's tiles, from 0."""
    found = []
    ends = np.cumsum(counts)
    for slide, end, count in zip(job.slides, ends, counts, strict=True):
        stored = StoredImage.open(job.folder.layer(slide, "assignment"))
        cells = tuple(columns[CELL[axis]][end - count : end] for axis in job.modality.axes)
        found.append(stored.read(stored.frames[0].box)[0][cells].astype(np.int64) - 1)
    return np.concatenate(found)


def level_silhouettes(job: Job[ClusterSettings], layout: Layout, fine: Array) -> dict[int, float]:
    """Level -> silhouette of its clusters in the plane; empty where there is no UMAP."""
    from ....models.clustering.tree import number_at
    from ....models.evaluation.validity import silhouettes

    if layout.method == NO_LAYOUT:
        return {}
    tree = clusters_document(job)
    numbers = np.asarray(tree.numbers)[fine]
    levels = {level: number_at(tree.parents, level)[numbers - 1] for level in range(2, tree.finest + 1)}
    return silhouettes(layout.coordinates, levels, seed=job.settings.seed)


def read_layout(job: Job[ClusterSettings]) -> Layout:
    """The layout of the table's tiles, without those of images that a later step rejected."""
    coordinates = StoredArray.open(job.folder.samples / ARRAY).read_all()
    images = job.slides_before(STEP)
    if len(images) > len(job.slides):
        counts = row_counts(replace(job, slides=images))
        kept = [image in job.slides for image in counts]
        coordinates = coordinates[np.repeat(kept, list(counts.values()))]
    return Layout(coordinates, layout_record(job).method, images)


def layout_record(job: Job[ClusterSettings]) -> LayoutRecord:
    return read_document(job.folder, LAYOUT, LayoutRecord)

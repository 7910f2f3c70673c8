"""layout: the UMAP of the tiles, computed once and kept, so that other names or another level need no new one."""

from __future__ import annotations

from ....stores.array import ArraySpec, StoredArray, written
from ....stores.frame import Box
from ...pipeline.documents import Document, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.table import Layout, layout_of, tile_columns
from .settings import ClusterSettings

LAYOUT, ARRAY = "models/layout", "umap"


class LayoutRecord(Document):
    """models/layout.json: the method of the layout in samples.zarr/umap."""

    method: str


def lay_out(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Place the table's tiles in the plane."""
    outcome = Outcome()
    with outcome.clock("read"):
        columns, counts = tile_columns(job)
    with outcome.clock("compute"):
        layout = layout_of(job, columns["X"], counts)
    with outcome.clock("write"):
        shape = layout.coordinates.shape
        spec = ArraySpec(shape, "float32", (max(1, shape[0]), 2), (max(1, shape[0]), 2), ("n", "axis"))
        array = StoredArray.create(job.folder.samples / ARRAY, spec)
        if shape[0]:
            outcome.files.append(array.write(Box((0, 0), shape), layout.coordinates.astype("float32")))
        outcome.files.append(written(array.path / "zarr.json"))
        outcome.files.append(write_document(job, LAYOUT, LayoutRecord(method=layout.method)))
    outcome.facts["umap"] = layout.method
    return outcome


def read_layout(job: Job[ClusterSettings]) -> Layout:
    """The layout of the table's tiles."""
    coordinates = StoredArray.open(job.folder.samples / ARRAY).read_all()
    return Layout(coordinates, read_document(job.folder, LAYOUT, LayoutRecord).method)

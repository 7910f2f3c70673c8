"""rows: arrays of a run that have one row an image in use, in samples.zarr."""

from __future__ import annotations

from typing import Any

from ....stores.array import ArraySpec, StoredArray, Written, written
from ....stores.frame import Array
from ...pipeline.job import Job

FEATURES = "features"


def store_features(job: Job[Any], name: str, values: Array) -> list[Written]:
    """Write what a network's last layer sees of every image, float32 (n, F)."""
    spec = ArraySpec(values.shape, values.dtype.name, values.shape, values.shape, ("image", "feature"))
    array = StoredArray.create(job.folder.samples / FEATURES / name, spec)
    return [*(array.write(box, values[box.slices]) for box in spec.shards), written(array.path / "zarr.json")]


def stored_features(job: Job[Any], name: str) -> Array:
    return StoredArray.open(job.folder.samples / FEATURES / name).read_all()

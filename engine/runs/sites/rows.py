"""rows: what the networks see of every image, in samples.zarr: one row an image that was in use when they were trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import CorruptError
from ....stores.array import ArraySpec, StoredArray, Written, written
from ....stores.frame import Array
from ...pipeline.job import Job
from .folds import STEP, trained_rows

FEATURES = "features"


def store_features(job: Job[Any], name: str, values: Array) -> list[Written]:
    """Write what a network's last layer sees of every image in use, float32 (n, F); 0 stands for those rejected since."""
    rows = np.zeros((len(job.slides_before(STEP)), values.shape[1]), values.dtype)
    rows[trained_rows(job)] = values
    spec = ArraySpec(rows.shape, rows.dtype.name, rows.shape, rows.shape, ("image", "feature"))
    array = StoredArray.create(job.folder.samples / FEATURES / name, spec)
    return [*(array.write(box, rows[box.slices]) for box in spec.shards), written(array.path / "zarr.json")]


def stored_features(job: Job[Any], name: str) -> Array:
    """The features of the images in use, float32 (n, F). Raises CorruptError where the array is of other images."""
    values = StoredArray.open(job.folder.samples / FEATURES / name).read_all()
    if len(values) != len(job.slides_before(STEP)):
        raise CorruptError(
            f"{job.folder.samples / FEATURES / name} holds {len(values)} images, and the networks were trained with "
            f"{len(job.slides_before(STEP))} in use."
        )
    return values[trained_rows(job)]

"""encode: embeddings and reconstruction errors of all volumes, by every network."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.array import ArraySpec, StoredArray, Written, written
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ..checkpoints import device_of
from .dataset import Volumes, grid_of
from .networks import WHOLE, load_network, model_name

CHUNK_BYTES = 1 << 26
ENCODED = 8
"""Batch size in volumes when embedding; the last digits of embeddings depend on it."""


def encode_volumes(job: Job[Any], unit: Unit) -> Outcome:
    """Compute embeddings and squared reconstruction errors of all volumes, by the network of the unit."""
    import torch

    from ....models.training.encoding import embeddings_of, squared_errors

    outcome = Outcome()
    with outcome.clock("read"):
        volumes, network = Volumes(job), load_network(job, unit.name).to(device_of(job))
    with outcome.clock("compute"):
        torch.set_num_threads(job.settings.threads)
        embeddings = embeddings_of(network, volumes, ENCODED)
        errors = squared_errors(network, volumes, ENCODED)
    with outcome.clock("write"):
        outcome.files += store_embeddings(job, unit.name, embeddings, errors)
    outcome.facts["pixels"] = len(volumes) * int(np.prod(grid_of(job).shape))
    return outcome


def store_embeddings(job: Job[Any], name: str, embeddings: Array, errors: Array) -> list[Written]:
    """Write embeddings and squared errors of all volumes under the name of their model."""
    return _store(job, f"codes/{name}", embeddings) + _store(job, f"errors/{name}", errors)


def embeddings(job: Job[Any], network: str, part: str = WHOLE) -> Array:
    """Embeddings of the volumes in use, float32 (volume, feature)."""
    return StoredArray.open(job.folder.samples / "codes" / model_name(network, part)).read_all()


def errors(job: Job[Any], network: str, part: str = WHOLE) -> Array:
    """Mean squared reconstruction errors of the volumes in use, float64 (volume,)."""
    return StoredArray.open(job.folder.samples / "errors" / model_name(network, part)).read_all()


def _store(job: Job[Any], name: str, values: Array) -> list[Written]:
    names = ("volume", "feature")[: values.ndim]
    rows = max(1, min(len(values), CHUNK_BYTES // max(1, values[:1].nbytes)))
    chunk = (rows, *values.shape[1:])
    spec = ArraySpec(values.shape, values.dtype.name, chunk, chunk, names)
    array = StoredArray.create(job.folder.samples / name, spec)
    return [*(array.write(box, values[box.slices]) for box in spec.shards), written(array.path / "zarr.json")]

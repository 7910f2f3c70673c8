"""embed: the embeddings that subjects are grouped by: those of a network that only reconstructs, or principal components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .....stores.array import StoredArray
from .....stores.frame import Array
from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....steps.volumes.dataset import Volumes, grid_of
from ....steps.volumes.encode import encode_volumes, store_embeddings
from ....steps.volumes.networks import model_name, train_on
from .settings import SubjectSettings

if TYPE_CHECKING:
    from .....models.replica import Replica

COMPONENTS = "components"
"""Name of the embeddings that are principal components."""


def training_units(job: Job[SubjectSettings], step: str) -> Iterator[Unit]:
    """The training of the network; none where principal components are asked for."""
    if job.settings.embedding == "network":
        yield Unit(step, model_name(job.settings.network))


def train_network(job: Job[SubjectSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train the network on all volumes to reconstruct them; it sees no label, as groups must not be made of labels."""
    from .....models.training.objective import Task

    rows = np.arange(len(job.slides))
    return train_on(job, unit, replica, network=job.settings.network, rows=rows, task=Task)


def embedding_units(job: Job[SubjectSettings], step: str) -> Iterator[Unit]:
    yield Unit(step, _name(job))


def embed_volumes(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Compute the embeddings of all volumes and the errors of their reconstruction."""
    return _components(job, unit) if job.settings.embedding == "components" else encode_volumes(job, unit)


def _components(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    from threadpoolctl import threadpool_limits

    from .....models.training.components import Components

    outcome = Outcome()
    with outcome.clock("read"):
        volumes = Volumes(job)
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):
        found, length = Components(volumes, job.settings.embedding_size).read(volumes)
        cells = int(np.prod(grid_of(job).shape))
        residuals = np.maximum(length - np.square(found, dtype=np.float64).sum(1), 0.0) / cells
    with outcome.clock("write"):
        outcome.files += store_embeddings(job, unit.name, found, residuals)
    outcome.facts["pixels"] = len(volumes) * cells
    return outcome


def volume_embeddings(job: Job[SubjectSettings]) -> Array:
    """Embeddings of the volumes in use, float32 (volume, feature)."""
    return StoredArray.open(job.folder.samples / "codes" / _name(job)).read_all()


def _name(job: Job[SubjectSettings]) -> str:
    return COMPONENTS if job.settings.embedding == "components" else model_name(job.settings.network)

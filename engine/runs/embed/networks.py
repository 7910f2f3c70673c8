"""networks: the autoencoders of a run on whole volumes: one trained on all volumes, and one per fold.

Each training is a unit of the step `networks`, so that workers train in parallel. A fold's network is evaluated on volumes
that it was not trained on; the network trained on all volumes fills the run's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, read_record, save_model
from ...steps.volumes.dataset import Volumes, grid_of
from .documents import NetworkRecord
from .folds import folds_of, model_name, trainings
from .objective import task_of
from .settings import EmbedSettings

if TYPE_CHECKING:
    from ....models.replica import Replica

    pass

MAX_KEPT_CELLS = 20_000_000
"""Cells of a batch above which activations are recomputed (checkpointing): a third more time, a fraction of the memory."""


def training_units(job: Job[EmbedSettings], step: str) -> Iterator[Unit]:
    for network, fold in trainings(job):
        yield Unit(step, model_name(network, fold))


def train_network(job: Job[EmbedSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train one network on one fold."""
    import torch

    from ....models.training.budget import volume_budget
    from ....models.training.embedding import Embedding
    from ...compute.fit import fit
    from ...compute.gpu_stream import gpu_errors

    outcome = Outcome()
    name, fold = next(t for t in trainings(job) if model_name(*t) == unit.name)
    rows = folds_of(job)[fold][0]
    with outcome.clock("read"):
        volumes = Volumes(job, rows)
    with outcome.clock("compute"):
        network = network_of(job, name).to(device_of(job))
        task, settings = task_of(job, rows), job.settings
        cells = int(np.prod(grid_of(job).shape))
        learns = task.objective.kind != "reconstruction"
        plan = volume_budget(len(volumes), cells, settings.effort, classes=learns)
        network.checkpointing = plan.batch * cells > MAX_KEPT_CELLS
        # a training begins with sums over volumes, and their last digits depend on the threads
        torch.set_num_threads(settings.threads)
        with gpu_errors():
            phase = Embedding(network, volumes, plan.steps, plan.batch, task=task, seed=settings.seed, replica=replica)
        slot = checkpoint_slot(job, unit.step, unit.name)
        history = fit(
            phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out), replica=replica
        )
    if replica.rank > 0:
        return outcome
    with outcome.clock("write"):
        outcome.files += save_model(
            job, unit.name, network, partial(NetworkRecord, history=history, volumes=len(volumes))
        )
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, loss=history[-1]["loss"])
    return outcome


def network_of(job: Job[EmbedSettings], name: str) -> Any:
    """An untrained network for the run's volumes, with the same initial weights in every fold."""
    from ....models.networks.presets import NETWORK_PRESETS, network_preset
    from ....models.seeds import generator

    code = {} if "maps" in NETWORK_PRESETS[name] else {"embedding_size": job.settings.embedding_size}
    channels = next(iter(job.slides.values())).channels
    source = generator(job.settings.seed, "cae3d")
    network = network_preset(name, shape=grid_of(job).shape, channels=channels, source=source, **code)
    network.mixed_precision = job.settings.dtype == "bf16"
    return network


def load_network(job: Job[EmbedSettings], name: str) -> Any:
    """A trained network in evaluation mode. Raises CorruptError if its file differs from the recorded checksum."""
    from ....models.networks.cae3d import CAE3D
    from ....models.training import checkpoint

    path = job.folder.model(name)
    tensors, recipe = checkpoint.load_checkpoint(path, read_record(job, name, NetworkRecord).sha256)
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe.items()}
    network = CAE3D(**arguments)
    network.mixed_precision = job.settings.dtype == "bf16"
    checkpoint.load_weights(network, tensors, path)
    return network.eval()

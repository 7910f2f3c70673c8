"""networks: autoencoders of whole volumes: names, training on some of the volumes of a run, and loading."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ..checkpoints import ModelRecord, checkpoint_slot, device_of, read_record, save_model
from .dataset import Volumes, grid_of
from .settings import PreparedVolumeSettings

if TYPE_CHECKING:
    from ....models.replica import Replica
    from ....models.training.objective import Task

WHOLE = "all"
"""Name of the training on all volumes, beside those on parts of them."""
MAX_KEPT_CELLS = 20_000_000
"""Cells of a batch above which activations are recomputed (checkpointing): a third more time, a fraction of the memory."""


class NetworkRecord(ModelRecord):
    """Record of a network for whole volumes."""

    volumes: int
    """Number of volumes that the network was trained on."""
    rare_classes_spread: bool = False
    """Whether folds were balanced by class where one has fewer volumes than there are folds; False in records of before."""


def model_name(network: str, part: str = WHOLE) -> str:
    """Name of the model: network, and the part of the volumes that it is trained on."""
    return f"{network}-{part}"


def train_on(
    job: Job[Any], unit: Unit, replica: Replica, *, network: str, rows: Array, task: Callable[[], Task]
) -> Outcome:
    """Train the network of a unit on some rows of the prepared volumes, and save it under the unit's name."""
    import torch

    from ....models.training.budget import volume_budget
    from ....models.training.embedding import Embedding
    from ...compute.fit import fit
    from ...compute.gpu_stream import gpu_errors

    outcome, settings = Outcome(), job.settings
    with outcome.clock("read"):
        volumes = Volumes(job, rows)
    with outcome.clock("compute"):
        model, learned = network_of(job, network).to(device_of(job)), task()
        cells = int(np.prod(grid_of(job).shape))
        learns = learned.objective.kind != "reconstruction"
        plan = volume_budget(len(volumes), cells, settings.effort, classes=learns)
        model.checkpointing = plan.batch * cells > MAX_KEPT_CELLS
        # a training begins with sums over volumes, and their last digits depend on the threads
        torch.set_num_threads(settings.threads)
        with gpu_errors():
            phase = Embedding(model, volumes, plan.steps, plan.batch, task=learned, seed=settings.seed, replica=replica)
        slot = checkpoint_slot(job, unit.step, unit.name)
        history = fit(
            phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out), replica=replica
        )
    if replica.rank > 0:
        return outcome
    with outcome.clock("write"):
        record = partial(NetworkRecord, history=history, volumes=len(volumes), rare_classes_spread=True)
        outcome.files += save_model(job, unit.name, model, record)
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, loss=history[-1]["loss"])
    return outcome


def network_of(job: Job[PreparedVolumeSettings], name: str) -> Any:
    """An untrained network for the run's volumes, with the same initial weights in every training."""
    from ....models.networks.presets import NETWORK_PRESETS, network_preset
    from ....models.seeds import generator

    code = {} if "maps" in NETWORK_PRESETS[name] else {"embedding_size": job.settings.embedding_size}
    channels = next(iter(job.slides.values())).channels
    source = generator(job.settings.seed, "cae3d")
    network = network_preset(name, shape=grid_of(job).shape, channels=channels, source=source, **code)
    network.mixed_precision = job.settings.dtype == "bf16"
    return network


def load_network(job: Job[PreparedVolumeSettings], name: str) -> Any:
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

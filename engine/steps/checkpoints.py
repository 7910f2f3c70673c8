"""Models of a run on disk: weights, documents and checkpoints of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.array import Written, written
from ...stores.files import write_durably, write_json
from ..pipeline.job import Job

if TYPE_CHECKING:
    from ..compute.fit import CheckpointSlot


def device_of(job: Job[Any]) -> Any:
    """This process's device, as a torch.device; one worker has one GPU. Raises MachineError where it has none."""
    from ..compute.gpu_stream import prepare_device

    return prepare_device(job.settings.device)


def load_network(path: Path, sha256: str) -> Any:
    """The trained network, ready to be applied: a clusterer, or an autoencoder. Raises CorruptError where the file is not the
    one that was trained."""
    from ...models.networks.autoencoder import Autoencoder
    from ...models.networks.clusterer import Clusterer
    from ...models.training import checkpoint

    tensors, recipe = checkpoint.load_checkpoint(path, sha256)
    network = Clusterer.from_recipe(recipe) if "head" in recipe else Autoencoder(**recipe)
    checkpoint.load_weights(network, tensors, path)
    return network.eval()


def save_model(job: Job[Any], name: str, network: Any, record: dict[str, Any]) -> list[Written]:
    """Weights, and beside them what rebuilds the network and how it was trained."""
    from ...models.training import checkpoint

    path = job.folder.model(name)
    recipe = network.recipe() if callable(network.recipe) else network.recipe
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    sha256 = checkpoint.save_checkpoint(path, tensors, recipe, write_durably)
    document = {"sha256": sha256, "recipe": recipe, "threads": job.settings.threads, **record}
    return [written(path), write_document(job, f"models/{name}.json", document)]


def write_document(job: Job[Any], name: str, document: dict[str, Any]) -> Written:
    path = job.folder.out / name
    write_json(path, _finite(document))
    return written(path)


def checkpoint_slot(job: Job[Any], step: str, name: str = "") -> CheckpointSlot:
    """Where the training of a model (of the step's own name, unless said) keeps its checkpoint."""
    from ..compute.fit import CheckpointSlot

    return CheckpointSlot(job.folder.out / "models" / f"{name or step}.training.safetensors", job.ledger_key(step))


def _finite(value: Any) -> Any:
    """JSON has no NaN: None stands for it. Numpy's numbers become Python's."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value

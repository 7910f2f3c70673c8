"""Models of a run on disk: weights, model records and training checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...stores.array import Written, written
from ...stores.files import read_json, write_durably
from ..pipeline.documents import Document, JsonNumber, find_document, read_document
from ..pipeline.job import Job

if TYPE_CHECKING:
    from ...models.networks.clusterer import Clusterer
    from ...models.networks.encoders import Encoder
    from ..compute.fit import CheckpointSlot


def device_of(job: Job[Any]) -> Any:
    """This process's device, as a torch.device; one worker has one GPU. Raises MachineError where it has none."""
    from ..compute.gpu_stream import prepare_device

    return prepare_device(job.settings.device)


def load_network(path: Path, sha256: str) -> tuple[Encoder, Clusterer | None]:
    """The run's encoder in evaluation mode, and the clusterer that contains it, or None.

    Raises CorruptError where the file's sha256 is not `sha256`.
    """
    from ...models.networks.clusterer import Clusterer
    from ...models.networks.encoders import encoder_of
    from ...models.training import checkpoint

    tensors, recipe = checkpoint.load_checkpoint(path, sha256)
    if "head" in recipe:
        clusterer = Clusterer.from_recipe(recipe)
        checkpoint.load_weights(clusterer, tensors, path)
        return clusterer.eval().autoencoder, clusterer
    encoder = encoder_of(recipe)
    checkpoint.load_weights(encoder, tensors, path)
    return encoder.eval(), None


class ModelRecord(Document):
    """models/<name>.json: the recipe that rebuilds a trained network, and its training history."""

    sha256: str
    """sha256 of the weights file beside the record."""
    recipe: dict[str, Any]
    """Constructor arguments of the network."""
    threads: int
    history: tuple[dict[str, JsonNumber], ...]
    """Metrics over training steps: {"step": ..., "loss": ...}; None stands for a value that is not finite."""


R = TypeVar("R", bound=ModelRecord)


def find_record(job: Job[Any], name: str, model: type[R]) -> R | None:
    """The record of a trained model; None where the model is not trained yet."""
    return find_document(job.folder, f"models/{name}", model)


def read_record(job: Job[Any], name: str, model: type[R]) -> R:
    """The record of a trained model. Raises CorruptError where there is none."""
    return read_document(job.folder, f"models/{name}", model)


def stated_weights(path: Path) -> str:
    """sha256 of the weights that a document in models/ states; empty where the document is not a model's record."""
    document = read_json(path)
    return str(document.get("sha256", "")) if isinstance(document, dict) else ""


def save_model(job: Job[Any], name: str, network: Any, record: Callable[..., ModelRecord]) -> list[Written]:
    """Write the weights and their record. `record` is called with the fields of every model: sha256, recipe, threads."""
    from ...models.training import checkpoint

    path = job.folder.model(name)
    recipe = network.recipe() if callable(network.recipe) else network.recipe
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    sha256 = checkpoint.save_checkpoint(path, tensors, recipe, write_durably)
    document = record(sha256=sha256, recipe=recipe, threads=job.settings.threads)
    return [written(path), write_document(job, f"models/{name}", document)]


def write_document(job: Job[Any], name: str, document: Document) -> Written:
    """Write a document by its path without suffix ("models/validity")."""
    job.folder.write(name, document.model_dump(mode="json"))
    return written(job.folder.out / f"{name}.json")


def checkpoint_slot(job: Job[Any], step: str, name: str = "") -> CheckpointSlot:
    """The slot for the training checkpoint of a model, named `name`, or like its step by default."""
    from ..compute.fit import CheckpointSlot

    return CheckpointSlot(job.folder.out / "models" / f"{name or step}.training.safetensors", job.ledger_key(step))

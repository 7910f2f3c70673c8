"""finished_stages: what the stages of a training left, kept beside its checkpoint, so that a killed training resumes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import CorruptError
from ....stores.files import write_durably
from ....stores.frame import Array

if TYPE_CHECKING:
    from ....models.networks.film_network import FilmNetwork

log = logging.getLogger("tile_engine")


@dataclass(slots=True)
class FinishedStages:
    """Calibrated probabilities of the judged films after each stage, what was set on the validation part, and the history."""

    path: Path
    key: str
    """Fingerprint of the training; a file with another one is ignored."""
    probabilities: list[Array] = field(default_factory=list)
    """Of each stage, (judged film, class) float32."""
    records: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    def resume(self, network: FilmNetwork) -> None:
        """Read what an interrupted training left, with the weights after its last finished stage."""
        from ....models.training import checkpoint

        if not self.path.exists():
            return
        try:
            tensors, recipe = checkpoint.load_checkpoint(self.path)
            if recipe.get("key") != self.key:
                return
            count = len(recipe["records"])
            probabilities = [tensors.pop(f"stage.{number}").numpy() for number in range(count)]
            checkpoint.load_weights(network, tensors, self.path)
        except (CorruptError, KeyError) as error:  # a checkpoint only saves time: without it the training begins anew
            log.warning(
                "the finished stages in %s are damaged, so this training begins anew: %s", self.path.name, error
            )
            self.path.unlink(missing_ok=True)
            return
        self.probabilities, self.records, self.history = probabilities, recipe["records"], recipe["history"]

    def save(self, network: FilmNetwork) -> None:
        import torch

        from ....models.training import checkpoint

        tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
        for number, values in enumerate(self.probabilities):
            tensors[f"stage.{number}"] = torch.from_numpy(np.ascontiguousarray(values))
        recipe = {"key": self.key, "records": self.records, "history": self.history}
        checkpoint.save_checkpoint(self.path, tensors, recipe, write_durably)

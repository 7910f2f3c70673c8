"""fit: trains a phase to its end, with checkpoints from which any process resumes to the same bytes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import CorruptError
from ...models.replica import SINGLE, Replica
from ...models.training import checkpoint
from ...models.training.phases import Phase
from ...stores.files import write_durably
from ..pipeline.progress import ProgressFile
from .gpu_stream import gpu_errors

log = logging.getLogger("tile_engine")
STEPS_PER_CHECKPOINT = 25
"""Steps between two checkpoints; some seconds of work on a laptop."""
MAX_RECORDED_STEPS = 200
"""Steps that are recorded of a training's history, at most."""


@dataclass(frozen=True, slots=True)
class CheckpointSlot:
    """Path and key of a phase's checkpoint."""

    path: Path
    key: str
    """Fingerprint of the training; a checkpoint with another key, or of another network, is ignored."""


def fit(
    phase: Phase, slot: CheckpointSlot, *, threads: int, progress_file: ProgressFile, replica: Replica = SINGLE
) -> list[dict[str, float]]:
    """Do the steps of a phase that are left, and return the history of its figures: [{"step": ..., "loss": ...}, ...].

    Threads are part of the numerics. In a gang, all ranks read the checkpoint; only the first rank writes it and reports
    progress. Raises RuntimeError where ranks would resume from different steps.
    """
    torch.set_num_threads(threads)
    record_interval = max(1, phase.steps // MAX_RECORDED_STEPS)  # of the whole budget, wherever the training resumes
    start, resumed = 0, _resume(phase, slot, progress_file)
    if resumed is not None:
        start = resumed.pop("next")
    if len(starts := set(replica.gather(torch.tensor([start])).tolist())) > 1:
        raise RuntimeError(
            f"the ranks of a gang found different checkpoints: they would resume from steps {sorted(starts)}"
        )
    record: list[dict[str, float]] = list(resumed["record"]) if resumed else []
    for index in takewhile(lambda index: index < phase.steps, count(start)):  # a phase may find that fewer will do
        with gpu_errors():
            figures = phase.step(index)
        if replica.rank > 0:
            continue
        if index % record_interval == 0 or index == phase.steps - 1:
            # in order of their names, as they come back from a checkpoint: the record is the same whoever wrote it
            record.append(dict(sorted({"step": index, **{k: round(v, 6) for k, v in figures.items()}}.items())))
        if (index + 1) % STEPS_PER_CHECKPOINT == 0 and index + 1 < phase.steps:
            recipe = {"key": slot.key, "next": index + 1, "record": record}
            state = {name: tensor.cpu() for name, tensor in phase.state().items()}
            checkpoint.save_checkpoint(slot.path, state, recipe, write_durably)
        progress_file.tell(phase.name, index + 1, phase.steps, figures)
    return record


def _resume(phase: Phase, slot: CheckpointSlot, progress_file: ProgressFile) -> dict[str, Any] | None:
    if not slot.path.exists():
        return None
    try:
        state, recipe = checkpoint.load_checkpoint(slot.path)
    except CorruptError as error:
        # a checkpoint is only ever a saving of time: without it the phase starts again
        text = f"the checkpoint of training {phase.name!r} is damaged, so this training begins anew: {error.message}"
        log.warning("%s", text)
        progress_file.warn(text)
        slot.path.unlink(missing_ok=True)
        return None
    if recipe.get("key") != slot.key or _shapes(phase.state()) != _shapes(state):
        return None
    phase.load(state)
    return recipe


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}

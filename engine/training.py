"""fit: train a phase to its end, with checkpoints from which any process goes on to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import TileEngineError
from ..models import checkpoint
from ..models.phases import Phase
from .progress import Beacon

EVERY = 25
"""Steps between two checkpoints: seconds of work on a laptop."""
POINTS = 200
"""Figures kept of a training's course, at most."""


def fit(phase: Phase, aside: Path, *, key: str, threads: int, beacon: Beacon) -> list[dict[str, float]]:
    """Do the steps of a phase that are left, and return the course of its figures: [{"step": ..., "loss": ...}, ...].

    `aside` is the checkpoint's file; one that was left under another `key` is not used. Threads are part of the numerics.
    """
    torch.set_num_threads(threads)
    start, course = 0, _resume(phase, aside, key)
    if course is not None:
        start = course.pop("next")
    record: list[dict[str, float]] = list(course["record"]) if course else []
    thin = max(1, phase.steps // POINTS)
    for index in range(start, phase.steps):
        figures = phase.step(index)
        if index % thin == 0 or index == phase.steps - 1:
            # in order of their names, as they come back from a checkpoint: the record is the same whoever wrote it
            record.append(dict(sorted({"step": index, **{k: round(v, 6) for k, v in figures.items()}}.items())))
        if (index + 1) % EVERY == 0 and index + 1 < phase.steps:
            aside.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.save(aside, phase.state(), {"key": key, "next": index + 1, "record": record})
        beacon.tell(phase.name, index + 1, phase.steps, figures)
    return record


def _resume(phase: Phase, aside: Path, key: str) -> dict[str, Any] | None:
    if not aside.exists():
        return None
    try:
        state, recipe = checkpoint.load(aside)
    except TileEngineError:
        aside.unlink()  # a checkpoint is only ever a saving of time: without it the phase starts again
        return None
    if recipe.get("key") != key:
        return None
    phase.load(state)
    return recipe

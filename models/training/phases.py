"""Phases: training as steps that can stop anywhere and go on elsewhere, to the bit.

A step is a function of the state, the seed and its index: its batch and its views are drawn by a generator named after
them. So `state()` after step n, loaded into a new phase, followed by steps n, n + 1, ... gives the state of an
undisturbed run (same threads, same machine).

```text
Reconstruction (autoencoder) -> encode_views -> HeadSweep (all K and seeds) -> choose K -> FineTune (whole network)
```
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from ...errors import TileEngineError


class Phase(Protocol):
    """One stretch of training; `name` tells its draws from those of others."""

    name: str
    steps: int

    def step(self, index: int) -> dict[str, float]:
        """Do step `index`; figures for people (the loss first)."""

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to `state`."""


class DivergedError(TileEngineError):
    """Training left the finite numbers; the weights are of no use."""

    code = "E_DIVERGED"


def train_phase(phase: Phase, start: int = 0, report: Callable[[int, dict[str, float]], None] | None = None) -> None:
    """Do all steps of a phase from `start` on; `report(index, figures)` after each."""
    for index in range(start, phase.steps):
        figures = phase.step(index)
        if report is not None:
            report(index, figures)


def check_finite(name: str, index: int, loss: float) -> None:
    """Raises DivergedError where the loss is no number."""
    if not math.isfinite(loss):
        raise DivergedError(
            f"{name}: the loss became {loss} in step {index}, so its weights are of no use. "
            "Check the patches for constant or broken ones, or train with another seed."
        )

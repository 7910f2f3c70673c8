"""Phases: training in steps that can stop anywhere and resume in another process with the same bits.

A step depends on the state, the seed and its index: a generator named after them draws its batch and its views. The
`state()` before step n, loaded into a new phase and followed by steps n, n + 1, ..., therefore gives the state of an
uninterrupted run (same threads, same machine).

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
    """One phase of training; `name` is part of the seed of its random numbers."""

    name: str

    @property
    def steps(self) -> int:
        """Steps of the whole phase; it may become smaller while the phase is trained."""

    def step(self, index: int) -> dict[str, float]:
        """Do step `index`; returns its figures by name, the loss first."""

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, by name."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a state that `state` returned."""


class DivergedError(TileEngineError):
    """The loss became infinite or NaN; the weights are useless."""

    code = "E_DIVERGED"


def train_phase(phase: Phase, start: int = 0, report: Callable[[int, dict[str, float]], None] | None = None) -> None:
    """Do all steps of a phase from `start` on; `report(index, figures)` is called after each."""
    index = start
    while index < phase.steps:
        figures = phase.step(index)
        if report is not None:
            report(index, figures)
        index += 1


def check_finite(name: str, index: int, loss: float) -> None:
    """Raises DivergedError for a loss that is infinite or NaN."""
    if not math.isfinite(loss):
        raise DivergedError(
            f"{name}: the loss became {loss} in step {index}, so its weights are of no use. "
            "Check the patches for constant or broken ones, or train with another seed."
        )

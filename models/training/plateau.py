"""Plateau: ends a training once the loss of patches that it does not train on no longer falls.

```text
rate       /-----------------------------\\
          /                                \\           warm-up, constant, then down to zero over a quarter of the steps before
step      0 . . * . . * . . * . . * . . * |            *: the loss of the held-out patches
                        `- the least of the last three is within 2 % of the least before: the rate begins to fall
```
Where that never happens the rate begins to fall in time for the last step of the budget. All that decides is counted in steps
and part of the phase's state, so a resumed training ends where an uninterrupted one does. A rate that follows a cosine over
all steps cannot be cut short; one that is constant and then falls comes as low in as many steps (Hägele et al., NeurIPS 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

LOOKS = 25
"""Held-out losses over the whole budget."""
LEAST_BETWEEN = 5
"""Steps between two of them, at least."""
PATIENCE = 3
"""Losses in a row that must not be lower."""
GAIN = 0.02
"""Share of the loss that counts as lower."""
TAIL = 0.25
"""Steps of the falling rate, as a share of the steps before."""


class Plateau:
    """The held-out losses of a training of `budget` steps at most.

    >>> plateau = Plateau(100)
    >>> for step in range(0, 25, plateau.every): plateau.add(step, 1.0)
    >>> plateau.begin, plateau.steps, plateau.rate(0.15), round(plateau.rate(0.17), 2)
    (15, 19, 1.0, 0.5)
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.every = max(LEAST_BETWEEN, budget // LOOKS)
        self._losses = torch.full((budget // self.every + 1,), math.inf)
        self._begin = torch.tensor([round(budget / (1 + TAIL))])

    @property
    def begin(self) -> int:
        """The step from which the rate falls."""
        return int(self._begin)

    @property
    def steps(self) -> int:
        """Steps until the training ends, as far as is known."""
        latest = round(self.budget / (1 + TAIL))
        return self.budget if self.begin >= latest else self.begin + max(1, round(TAIL * self.begin))

    def rate(self, done: float) -> float:
        """Share of the learning rate after the share `done` of the budget."""
        step = done * self.budget
        return min(1.0, max(0.0, (self.steps - step) / max(1, self.steps - self.begin)))

    def is_due(self, index: int) -> bool:
        """Whether the held-out loss is wanted after step `index`."""
        return index % self.every == 0 and index < self.begin

    def add(self, index: int, loss: float) -> None:
        """The held-out loss after step `index`."""
        number = index // self.every
        self._losses[number] = loss
        recent = max(0, number + 1 - PATIENCE)
        before, last = self._losses[:recent], self._losses[recent : number + 1]
        if len(before) and index < self.begin and float(last.min()) > (1 - GAIN) * float(before.min()):
            self._begin[0] = index

    @property
    def last(self) -> float:
        """The held-out loss that was measured last; NaN before the first."""
        known = self._losses[self._losses.isfinite()]
        return float(known[-1]) if len(known) else math.nan

    def state(self) -> dict[str, Tensor]:
        return {"plateau.losses": self._losses.clone(), "plateau.begin": self._begin.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._losses.copy_(state["plateau.losses"])
        self._begin.copy_(state["plateau.begin"])

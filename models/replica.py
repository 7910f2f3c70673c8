"""Replica: one of several trainers: the rows of each batch that it computes, and how it exchanges rows and gradients.

Several replicas give the result of one trainer: random numbers are drawn for the whole batch and each replica takes its rows;
losses over a batch gather the rows of all replicas; `join` makes a network whose gradients are averaged over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import SettingsError

T = TypeVar("T")


def _same(it: T) -> T:
    return it


@dataclass(frozen=True, slots=True)
class Replica:
    """Rank `rank` of `count`; every rank holds the same number of rows of a batch, in order of rank.

    >>> Replica(1, 4).rows(8), SINGLE.rows(8)
    (slice(2, 4, None), slice(0, 8, None))
    """

    rank: int = 0
    count: int = 1
    gather: Callable[[Tensor], Tensor] = _same
    """(B, ...) -> (count * B, ...): the rows of all ranks in order of rank; differentiable."""
    join: Callable[[nn.Module], nn.Module] = _same
    """Wraps a network so that its gradients are means over all ranks; a step must compute everything in one call of it."""

    def even(self, size: int) -> int:
        """The largest batch of at most `size` rows that divides by the number of ranks. Raises SettingsError for none."""
        if size < self.count:
            raise SettingsError(
                f"a gang of {self.count} cannot share a batch of {size} patches: each rank needs at least one. "
                f"Use --gang {max(1, size)} or fewer."
            )
        return size - size % self.count

    def rows(self, size: int) -> slice:
        """The rows of a batch of `size` that this rank computes."""
        each = size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def part(self, tensor: Tensor, axis: int = 0) -> Tensor:
        """This rank's rows of a tensor that was drawn for the whole batch."""
        rows = tensor.shape[axis] // self.count
        return tensor if self.count == 1 else tensor.narrow(axis, self.rank * rows, rows)

    def means(self, **figures: Tensor) -> dict[str, float]:
        """Means over all ranks of figures of their rows: figures of the whole batch, equal on every rank."""
        each = self.gather(torch.stack([figure.detach() for figure in figures.values()]).unsqueeze(0))
        return dict(zip(figures, each.mean(0).tolist(), strict=True))


SINGLE = Replica()


class Computed(nn.Module):
    """A network and the computation of a step as one module, so that `Replica.join` sees every use of its weights."""

    def __init__(self, network: nn.Module, compute: Callable[..., Any]) -> None:
        super().__init__()
        self.network, self._compute = network, compute

    def forward(self, *inputs: Tensor) -> Any:
        return self._compute(*inputs)

"""Share: the part of every batch that one of several trainers has, and how it meets the others; alone it is the whole.

What makes several trainers equal one: draws are those of the whole batch, of which each takes its rows; losses over a batch
gather the rows of all; gradients are averaged by whatever `join` makes of a network.
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
    """Rank `rank` of `count`; ranks hold equally many rows of a batch, one behind the other.

    >>> Replica(1, 4).rows(8), SINGLE.rows(8)
    (slice(2, 4, None), slice(0, 8, None))
    """

    rank: int = 0
    count: int = 1
    gather: Callable[[Tensor], Tensor] = _same
    """The rows of all ranks in order, (count * B, ...) of (B, ...); gradients find their way back."""
    join: Callable[[nn.Module], nn.Module] = _same
    """A network whose gradients are the means over all ranks; all that a step computes is one call of it."""

    def even(self, size: int) -> int:
        """The largest batch of at most `size` that can be shared evenly. Raises SettingsError where there is none."""
        if size < self.count:
            raise SettingsError(
                f"a gang of {self.count} cannot share a batch of {size} patches: each rank needs one at least. "
                f"Use --gang {max(1, size)} or fewer."
            )
        return size - size % self.count

    def rows(self, size: int) -> slice:
        """Which rows of a batch of `size` are this rank's."""
        each = size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def part(self, whole: Tensor, axis: int = 0) -> Tensor:
        """This rank's rows of what was drawn for the whole batch."""
        each = whole.shape[axis] // self.count
        return whole if self.count == 1 else whole.narrow(axis, self.rank * each, each)

    def means(self, **figures: Tensor) -> dict[str, float]:
        """Figures of this rank's rows as those of the whole batch, the same on every rank."""
        each = self.gather(torch.stack([figure.detach() for figure in figures.values()]).unsqueeze(0))
        return dict(zip(figures, each.mean(0).tolist(), strict=True))


SINGLE = Replica()


class Computed(nn.Module):
    """A network together with all that a step computes with it, as one call: what `Replica.join` can follow."""

    def __init__(self, network: nn.Module, compute: Callable[..., Any]) -> None:
        super().__init__()
        self.network, self._compute = network, compute

    def forward(self, *inputs: Tensor) -> Any:
        return self._compute(*inputs)

"""Receptive field of a network: how far an output cell sees, and the grid that tiles must lie on. By propagating intervals.

```text
output cells [a, b]  <-  conv, kernel k, stride s, padding p:  input cells [s a - p, s b - p + k - 1]
                     <-  transposed conv:                      input cells [ceil((a + p - k + 1) / s), floor((b + p) / s)]
```
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one output cell depends on along an axis; the same along each."""

    size: int
    """Input cells that an output cell can depend on, over all positions on the stride."""
    reach: int
    """Cells to the farthest of them."""
    stride: int
    """Shifting the input by this many cells shifts the output, and changes nothing else."""

    @property
    def halo(self) -> int:
        """The reach, rounded up to the stride."""
        return -(-self.reach // self.stride) * self.stride


def receptive_field(path: Iterable[nn.Module]) -> ReceptiveField:
    """Receptive field of the layers on the deepest path through a network, in order.

    >>> receptive_field([nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2)])
    ReceptiveField(size=7, reach=3, stride=1)
    """
    layers = [module for module in path if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED))]
    deepest = step = 1
    for layer in layers:
        by = int(layer.stride[0])
        step = step // by if isinstance(layer, TRANSPOSED) else step * by
        deepest = max(deepest, step)
    sizes, reach = [], 0
    for position in range(deepest):
        low, high = position, position
        for layer in reversed(layers):
            k, s, p = int(layer.kernel_size[0]), int(layer.stride[0]), int(layer.padding[0])
            if isinstance(layer, TRANSPOSED):
                low, high = -((k - 1 - p - low) // s), (high + p) // s
            else:
                low, high = s * low - p, s * high - p + k - 1
        sizes.append(high - low + 1)
        reach = max(reach, position - low, high - position)
    return ReceptiveField(max(sizes), reach, deepest)

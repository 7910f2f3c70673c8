"""Sharpener: a small residual network that gives an image the sharpness and the grain of another site's.

Five convolutions of 3 cells, so that an output cell sees 5 cells each way; in front of them a Gaussian, along the axes where
the image is the sharper one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..losses.similarity import gaussian
from ..seeds import initialise
from .generators import CONV
from .receptive_field import ReceptiveField

DEPTH = 5
SLOPE = 0.1


class Sharpener(nn.Module):
    """Images (B, C, *axes) to images of the same shape: 22 thousand parameters in three dimensions.

    >>> net = Sharpener(axes=3, smooths=(0.0, 0.5, 0.0), source=torch.Generator())
    >>> net.field, sum(p.numel() for p in net.parameters())
    (ReceptiveField(size=15, reach=7, stride=1), 21665)
    """

    def __init__(
        self,
        channels: int = 1,
        axes: int = 3,
        width: int = 16,
        smooths: Sequence[float] = (),
        source: torch.Generator | None = None,
    ) -> None:
        """`smooths`: standard deviation of the Gaussian along each axis, in cells."""
        super().__init__()
        self.recipe: dict[str, Any] = {
            "channels": channels,
            "axes": axes,
            "width": width,
            "smooths": list(smooths),
        }
        self._smooths = tuple(smooths) or (0.0,) * axes
        self._reach = int(-(-3.5 * max(self._smooths) // 1))
        conv = CONV[axes]
        blocks: list[nn.Module] = [conv(channels, width, 3, padding=1)]
        for _ in range(DEPTH - 2):
            blocks += [nn.LeakyReLU(SLOPE), conv(width, width, 3, padding=1)]
        self.network = nn.Sequential(*blocks, nn.LeakyReLU(SLOPE))
        self.last = conv(width, channels, 3, padding=1)
        initialise(self, source or torch.Generator().manual_seed(0))
        nn.init.zeros_(self.last.weight)

    def forward(self, x_BCZYX: Tensor) -> Tensor:
        with torch.autocast(x_BCZYX.device.type, enabled=False):  # what the network adds to stays in float32
            smooth = gaussian(x_BCZYX, self._smooths, self._reach, pad=True) if self._reach else x_BCZYX
        sharp: Tensor = smooth + self.last(self.network(smooth))
        return sharp

    @property
    def field(self) -> ReceptiveField:
        reach = DEPTH + self._reach
        return ReceptiveField(2 * reach + 1, reach, 1)

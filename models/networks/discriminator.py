"""PatchDiscriminator: says of every patch of an image whether it looks like one of the target's: scores, not probabilities.

Isola et al., CVPR 2017 (PatchGAN): with `layers` 3 and kernels of 4 an output sees 70 cells. In three dimensions two halvings
less deep, as IGUANe's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..seeds import generator, initialise
from .generators import CONV

SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """Images (B, C, *axes) to scores (B, 1, *smaller).

    >>> PatchDiscriminator(axes=2, width=4)(torch.zeros(1, 1, 70, 70)).shape
    torch.Size([1, 1, 6, 6])
    """

    def __init__(
        self, channels: int = 1, axes: int = 2, width: int = 64, layers: int = 3, source: torch.Generator | None = None
    ) -> None:
        super().__init__()
        conv = CONV[axes]
        blocks: list[nn.Module] = [conv(channels, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        inputs = width
        for i in range(1, layers):
            outputs = width << min(i, 3)
            blocks += [conv(inputs, outputs, 4, 2, 1), nn.GroupNorm(1, outputs), nn.LeakyReLU(SLOPE)]
            inputs = outputs
        outputs = width << min(layers, 3)
        blocks += [
            conv(inputs, outputs, 4, 1, 1),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(SLOPE),
            conv(outputs, 1, 4, 1, 1),
        ]
        self.network = nn.Sequential(*blocks)
        initialise(self, source or generator(0, "discriminator"))

    def forward(self, images_BCYX: Tensor) -> Tensor:
        scores: Tensor = self.network(images_BCYX)
        return scores

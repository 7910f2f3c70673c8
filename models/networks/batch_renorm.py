"""BatchRenorm: normalization that trains on the batch and applies fixed statistics, so that a tile's result is its own.

Ioffe, "Batch Renormalization", NeurIPS 2017: in training the statistics of the batch are corrected towards the running ones,
so that the network sees in training what it will see when it is applied. Instance normalization would take the statistics of
the tile, and neighbouring tiles would not agree (Buglakova et al., ICCV 2025).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOMENTUM = 0.05
WARMUP = 100
"""Batches after which the correction has its full bounds; before, this is batch normalization."""
MOST_SCALE, MOST_SHIFT = 3.0, 5.0
EPSILON = 1e-3


class BatchRenorm(nn.Module):
    """Over (B, C, *axes), by channel."""

    mean: Tensor
    deviation: Tensor
    batches: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x_BCYX: Tensor) -> Tensor:
        shape = (1, -1, *(1,) * (x_BCYX.ndim - 2))
        if not self.training:
            scale = self.weight / self.deviation
            return x_BCYX * scale.view(shape) + (self.bias - self.mean * scale).view(shape)
        rest = [0, *range(2, x_BCYX.ndim)]
        mean = x_BCYX.mean(rest)
        deviation = (x_BCYX.var(rest, unbiased=False) + EPSILON).sqrt()
        with torch.no_grad():
            share = min(1.0, float(self.batches) / WARMUP)
            most = 1 + (MOST_SCALE - 1) * share
            scale = (deviation / self.deviation).clamp(1 / most, most)
            shift = ((mean - self.mean) / self.deviation).clamp(-MOST_SHIFT * share, MOST_SHIFT * share)
            momentum = max(MOMENTUM, 1 / (float(self.batches) + 1))
            self.mean += momentum * (mean - self.mean)
            self.deviation += momentum * (deviation - self.deviation)
            self.batches += 1
        y = (x_BCYX - mean.view(shape)) / deviation.view(shape) * scale.view(shape) + shift.view(shape)
        return y * self.weight.view(shape) + self.bias.view(shape)

"""Seeds: every random choice in models comes from a generator that is made here.

A generator is named by a seed and words (`generator(7, "reconstruction", 1200)`). Step 1200 therefore draws the same
numbers whether or not the steps before it ran in this process, and resuming needs no generator state.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # torch is imported where it is used: statistics draw from numpy alone
    import torch
    from torch import Tensor, nn


def derived_seed(seed: int, *words: object) -> int:
    """A seed in [0, 2^63) derived from a seed and words by BLAKE2b; the same on every machine.

    >>> derived_seed(0, "views", 3) == derived_seed(0, "views", 3) != derived_seed(0, "views", 4)
    True
    """
    text = "/".join(str(word) for word in (seed, *words))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *words: object) -> torch.Generator:
    """A torch generator (CPU) for one purpose."""
    import torch

    return torch.Generator().manual_seed(derived_seed(seed, *words))


def numpy_generator(seed: int, *words: object) -> np.random.Generator:
    """A numpy generator for one purpose."""
    return np.random.default_rng(derived_seed(seed, *words))


def uniform(shape: tuple[int, ...], low: float, high: float, source: torch.Generator) -> Tensor:
    """Float32 numbers drawn evenly from [low, high)."""
    import torch

    return torch.rand(shape, generator=source) * (high - low) + low


def initialise(module: nn.Module, source: torch.Generator) -> None:
    """Draw all weights of a network anew from `source`: He-uniform weights, zero biases, unit norms."""
    import torch
    from torch import nn

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
                fan_in = part.weight[0].numel()
                if isinstance(part, nn.ConvTranspose2d | nn.ConvTranspose3d):
                    # Each output cell of a k = stride transposed convolution sees every input channel once.
                    fan_in = part.in_channels
                bound = (6.0 / fan_in) ** 0.5
                part.weight.copy_(uniform(tuple(part.weight.shape), -bound, bound, source))
                if part.bias is not None:
                    part.bias.zero_()
            elif isinstance(part, nn.GroupNorm | nn.LayerNorm):
                part.reset_parameters()

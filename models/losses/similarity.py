"""Structural similarity as a loss: Wang et al., IEEE TIP 13:600 (2004), Gaussian windows of 1.5 cells."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import conv2d, conv3d

SIGMA, REACH = 1.5, 5
K1, K2 = 0.01, 0.03


def gaussian(images: Tensor, sigmas: tuple[float, ...], reach: int, *, pad: bool) -> Tensor:
    """Images (B, C, *axes) smoothed axis by axis; `reach` cells each way; padded with the outermost cells, or cropped."""
    axes = images.ndim - 2
    convolution = (conv2d, conv3d)[axes - 2]
    x: Tensor = images.flatten(0, 1)[:, None]
    for axis, sigma in enumerate(sigmas):
        if sigma <= 0 and pad:
            continue
        weights = gaussian_weights(sigma, reach).to(x)
        shape = [1] * (axes + 2)
        shape[axis + 2] = len(weights)
        if pad:
            ends = [0, 0] * axes
            ends[2 * (axes - 1 - axis) : 2 * (axes - axis)] = [reach, reach]  # torch counts axes from the last
            x = functional.pad(x, ends, mode="replicate")
        x = convolution(x, weights.view(shape))
    return x[:, 0].view(*images.shape[:2], *x.shape[2:])


def gaussian_weights(sigma: float, reach: int) -> Tensor:
    """The cells of a Gaussian that passes frequency f as exp(-2 pi^2 sigma^2 f^2): (2 reach + 1,), float64, their sum 1.

    Samples of a narrow Gaussian would not: at 0.4 cells they blur half as much.

    >>> [round(float(w), 3) for w in gaussian_weights(1.0, 2)]
    [0.054, 0.245, 0.402, 0.245, 0.054]
    """
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    frequencies = (torch.arange(512, dtype=torch.float64) + 0.5) / 1024
    passed = torch.exp(-2 * math.pi**2 * sigma**2 * frequencies.square())
    weights = (passed * torch.cos(2 * math.pi * at[:, None] * frequencies)).mean(1)
    return weights / weights.sum()


def similarity(images: Tensor, others: Tensor, data_range: float) -> Tensor:
    """SSIM at every cell that has a whole window, (B, C, *smaller); sides must be over 10 cells."""
    sigmas = (SIGMA,) * (images.ndim - 2)

    def smooth(x: Tensor) -> Tensor:
        return gaussian(x, sigmas, REACH, pad=False)

    a, b = smooth(images), smooth(others)
    spread_a, spread_b = smooth(images * images) - a * a, smooth(others * others) - b * b
    both = smooth(images * others) - a * b
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    share: Tensor = (2 * a * b + c1) * (2 * both + c2) / ((a * a + b * b + c1) * (spread_a + spread_b + c2))
    return share

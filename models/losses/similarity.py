"""Structural similarity as a loss: Wang et al., IEEE TIP 13:600 (2004), Gaussian windows of 1.5 cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv3d

SIGMA, REACH = 1.5, 5
K1, K2 = 0.01, 0.03


def gaussian(images: Tensor, sigmas: tuple[float, ...], reach: int, *, pad: bool) -> Tensor:
    """Images (B, C, *axes) smoothed axis by axis; `reach` cells each way, with zeros outside where padded, else cropped."""
    axes = images.ndim - 2
    convolution = (conv2d, conv3d)[axes - 2]
    x: Tensor = images.flatten(0, 1)[:, None]
    for axis, sigma in enumerate(sigmas):
        if sigma <= 0 and pad:
            continue
        at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
        weights = torch.exp(-at.square() / (2 * max(sigma, 1e-3) ** 2))
        shape, padding = [1] * (axes + 2), [0] * axes
        shape[axis + 2], padding[axis] = len(at), reach if pad else 0
        x = convolution(x, (weights / weights.sum()).view(shape), padding=padding)
    return x[:, 0].view(*images.shape[:2], *x.shape[2:])


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

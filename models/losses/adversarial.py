"""Losses of a CycleGAN: least squares for the discriminator's scores, and mean absolute error inside a mask.

Mao et al., ICCV 2017 (LSGAN); Zhu et al., ICCV 2017 (cycle and identity); masked as by Roca et al., Med Image Anal 99:103388.
"""

from __future__ import annotations

from torch import Tensor


def judged_real(scores: Tensor) -> Tensor:
    """Mean squared distance of scores from 1.

    >>> import torch
    >>> float(judged_real(torch.tensor([1.0, 0.0])))
    0.5
    """
    return (scores - 1).square().mean()


def told_apart(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """The discriminator's loss, halved: real scores from 1, fake ones from 0."""
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())


def masked_error(image: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error of (B, C, *axes) where the mask (B, 1, *axes) is 1; 0 for an empty mask.

    >>> import torch
    >>> x = torch.tensor([[[1.0, 5.0]]])
    >>> float(masked_error(x, torch.zeros_like(x), torch.tensor([[[1.0, 0.0]]])))
    1.0
    """
    cells = mask.sum() * image.shape[1]
    return ((image - other).abs() * mask).sum() / cells.clamp(min=1)

"""Likelihoods: log p of pixels in [0, 1] under what a decoder says of them, as pure functions of tensors, per pixel.

```text
bernoulli             x ln m + (1-x) ln(1-m)                  no density of grey values: its best value is minus their entropy
continuous_bernoulli  the same + ln C(m)                      the normaliser that makes it one
gaussian              one standard deviation for all pixels, learned (gaussian_fixed: 0.1)
logistic              probability of the 8-bit level of x under a logistic distribution whose scale is learned
```
Every likelihood reads the outputs u of a decoder, with mean parameter m = sigmoid(u), and `log_scale` where it has a scale.
Continuous Bernoulli: Loaiza-Ganem and Cunningham, NeurIPS 2019; discretised logistic: Salimans et al., ICLR 2017, eq. 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 256
"""Grey levels of the discretised logistic: those of 8-bit films."""
SMALL_LOGIT = 1e-2
"""Logits nearer to 0 than this use a series where the formula divides 0 by 0; it is exact to 1e-11 there."""


def bernoulli(pixels: Tensor, outputs: Tensor) -> Tensor:
    """Minus the binary cross-entropy of grey values, as the source's network has it; nats.

    >>> round(bernoulli(torch.tensor(1.0), torch.tensor(0.0)).item(), 4)  # ln 0.5
    -0.6931
    """
    return -F.binary_cross_entropy_with_logits(outputs, pixels, reduction="none")


def continuous_bernoulli(pixels: Tensor, outputs: Tensor) -> Tensor:
    """Log density of the continuous Bernoulli distribution on [0, 1]; nats.

    ln C = ln(u / tanh(u / 2)), 2 at u = 0: with m = sigmoid(u) the same as eq. 5 of the paper.
    """
    small = outputs.abs() < SMALL_LOGIT
    safe = outputs.masked_fill(small, 1.0)
    log_c = torch.where(small, math.log(2.0) + torch.log1p(outputs.square() / 12), (safe / torch.tanh(safe / 2)).log())
    return bernoulli(pixels, outputs) + log_c


def gaussian(pixels: Tensor, outputs: Tensor, log_scale: Tensor) -> Tensor:
    """Log density of a normal distribution about sigmoid(outputs) with standard deviation exp(log_scale); nats."""
    z = (pixels - outputs.sigmoid()) * (-log_scale).exp()
    return -0.5 * z.square() - log_scale - 0.5 * math.log(2 * math.pi)


def logistic(pixels: Tensor, outputs: Tensor, log_scale: Tensor) -> Tensor:
    """Log probability of each pixel's 8-bit level under a logistic distribution about sigmoid(outputs); nats.

    ```text
    level 0 has all below 0.5/255, level 255 all above 254.5/255; between them: s(upper) - s(lower)
    ln(s(a) - s(b)) = ln s(a) + ln s(-b) + ln(1 - exp(b - a))     does not lose the digits of a small difference
    ```
    """
    half, inverse = 0.5 / (LEVELS - 1), (-log_scale).exp()
    level = (pixels * (LEVELS - 1)).round() / (LEVELS - 1)
    centred = level - outputs.sigmoid()
    upper, lower = (centred + half) * inverse, (centred - half) * inverse
    first, last = level <= 0, level >= 1
    below = torch.where(last, torch.zeros_like(upper), F.logsigmoid(upper))
    above = torch.where(first, torch.zeros_like(lower), F.logsigmoid(-lower))
    between = torch.log(-torch.expm1(-2 * half * inverse))
    return below + above + torch.where(first | last, torch.zeros_like(upper), between)


def continuous_bernoulli_mean(outputs: Tensor) -> Tensor:
    """Mean of the continuous Bernoulli distribution: m / (2 m - 1) + 1 / (2 atanh(1 - 2 m)), 0.5 at u = 0."""
    small = outputs.abs() < SMALL_LOGIT
    safe = outputs.masked_fill(small, 1.0)
    return torch.where(small, 0.5 + outputs / 12, safe.sigmoid() / torch.tanh(safe / 2) - 1 / safe)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A likelihood as a network uses it."""

    log_p: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(pixels, outputs of the decoder, log_scale ()) -> nats per pixel, of the pixels' shape."""
    mean: Callable[[Tensor], Tensor]
    """Outputs of the decoder -> mean of the distribution, in [0, 1]."""
    scale: float = 1.0
    """Initial scale."""
    learned: bool = False
    """Whether the scale is a parameter of the network."""


LIKELIHOODS: Mapping[str, Likelihood] = {
    "bernoulli": Likelihood(lambda x, u, _: bernoulli(x, u), torch.sigmoid),
    "continuous_bernoulli": Likelihood(lambda x, u, _: continuous_bernoulli(x, u), continuous_bernoulli_mean),
    "gaussian": Likelihood(gaussian, torch.sigmoid, scale=0.1, learned=True),
    "gaussian_fixed": Likelihood(gaussian, torch.sigmoid, scale=0.1),
    "logistic": Likelihood(logistic, torch.sigmoid, scale=0.05, learned=True),
}
"""Name -> likelihood."""


def gaussian_divergence(mean_BF: Tensor, log_variance_BF: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) summed over the latent variables, (B,); nats. Kingma and Welling 2014, appendix B.

    >>> gaussian_divergence(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).item()
    0.5
    """
    return -0.5 * (1 + log_variance_BF - mean_BF.square() - log_variance_BF.exp()).sum(-1)


def pixel_entropy(pixels_BCYX: Tensor) -> Tensor:
    """Sum over an image's pixels of the entropy of a coin that shows 1 with the pixel's grey value, (B,); nats.

    It is the least that a Bernoulli likelihood can cost an image, and depends on its grey values alone.

    >>> round(pixel_entropy(torch.full((1, 1, 2, 2), 0.5)).item(), 4)  # 4 ln 2
    2.7726
    """
    return -(torch.xlogy(pixels_BCYX, pixels_BCYX) + torch.xlogy(1 - pixels_BCYX, 1 - pixels_BCYX)).flatten(1).sum(1)

"""Sharpening: the phase that trains a Sharpener without a pair of scans.

Pieces of the target's images, blurred and made noisy as the source's are (see `models/harmonization/blur.py`), are the input;
the pieces as they are, the aim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..harmonization.blur import Blur
from ..losses.similarity import REACH, gaussian, similarity
from ..networks.sharpener import Sharpener
from ..seeds import generator
from .optimiser import Adam
from .phases import check_finite

RATE = 2e-3
SQUARES = 20.0
"""Weight of the mean squared error beside 1 - SSIM."""
VARIATION = 0.1
"""Relative standard deviation of blur and noise between pieces."""
BLUR_REACH = 4

Pieces = Callable[[int], tuple[Tensor, Tensor]]
"""Step -> pieces (B, C, *axes) of the target's images in units of their scale, and their masks (B, 1, *axes)."""


class Sharpening:
    """1 - SSIM + 20 x squared error, inside the mask."""

    name = "sharpen"

    def __init__(
        self, network: Sharpener, pieces: Pieces, blur: Blur, steps: int, *, data_range: float, seed: int = 0
    ) -> None:
        self.network, self.steps, self._pieces, self._blur = network, steps, pieces, blur
        self._range, self._seed = data_range, seed
        self._device = next(network.parameters()).device
        self._adam = Adam({"network": (network, RATE)}, steps)

    def step(self, index: int) -> dict[str, float]:
        aim, mask = self._pieces(index)
        degraded = self.degraded(aim, index) * mask
        aim, mask, degraded = (tensor.to(self._device) for tensor in (aim, mask, degraded))
        edge = self.network.field.reach  # beyond it, the network has seen the cells of the piece alone
        inside = (slice(None), slice(None), *[slice(edge, -edge)] * (aim.ndim - 2))
        sharp, aim, mask = self.network(degraded)[inside], aim[inside], mask[inside]
        cells = mask.sum().clamp(min=1) * aim.shape[1]
        squares = ((sharp - aim).square() * mask).sum() / cells
        whole = mask[(slice(None), slice(None), *[slice(REACH, -REACH)] * (aim.ndim - 2))]
        unlike = ((1 - similarity(sharp, aim, self._range)) * whole).sum() / (whole.sum().clamp(min=1) * aim.shape[1])
        loss = unlike + SQUARES * squares
        figure = float(loss.detach())
        check_finite(self.name, index, figure)
        self._adam.step(loss, index)
        return {"loss": figure, "1 - ssim": float(unlike.detach()), "squared error": float(squares.detach())}

    def degraded(self, images: Tensor, index: int) -> Tensor:
        """Images as blurred and noisy as the source's."""
        draw = generator(self._seed, self.name, index)
        axes = images.ndim - 2
        vary = 1 + VARIATION * torch.randn(axes + 1, generator=draw)
        sigmas = tuple(s * max(0.0, float(v)) for s, v in zip(self._blur.degrades, vary, strict=False))
        noise = self._blur.noise * max(0.0, float(vary[-1]))
        blurred = gaussian(images, sigmas, BLUR_REACH, pad=True) if max(sigmas) > 0 else images
        first, second = (noise * torch.randn(images.shape, generator=draw) for _ in range(2))
        if axes == 2:
            return blurred + first
        return ((blurred + first).square() + second.square()).sqrt()  # the noise of a magnitude image is Rician

    def state(self) -> dict[str, Tensor]:
        return self._adam.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._adam.load(state)

"""Preparation: how a network that was trained elsewhere wants its pixels: input size, mean and standard deviation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .autoencoder import to_float

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of red, green, blue in ImageNet, values from 0 to 1: what most published weights expect."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """Patches (B, 3, Y, X), stored ones or float in [0, 1] -> input of the network (B, 3, size, size).

    Patches of another size are resized bilinearly, with antialiasing where they are made smaller.

    >>> prepared = Preparation(size=2, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))(torch.ones(1, 3, 4, 4))
    >>> tuple(prepared.shape), prepared.unique().tolist()
    ((1, 3, 2, 2), [2.0])
    """

    size: int = 224
    """Side of the input in pixels."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __call__(self, patches_BCYX: Tensor) -> Tensor:
        patches_BCYX = to_float(patches_BCYX)
        if patches_BCYX.shape[-2:] != (self.size, self.size):
            patches_BCYX = F.interpolate(
                patches_BCYX, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
            )
        mean_CYX, std_CYX = (torch.tensor(v, device=patches_BCYX.device)[:, None, None] for v in (self.mean, self.std))
        return (patches_BCYX - mean_CYX) / std_CYX

    def recipe(self) -> dict[str, Any]:
        """The fields as JSON values, named as in an encoder's recipe."""
        return {"input_size": self.size, "mean": list(self.mean), "std": list(self.std)}

"""Autoencoder: patches to embeddings and back; every clustering works on these embeddings.

```text
patches (C, 128, 128) -> 32 x 32² -> 64 x 16² -> 128 x 8² -> mean over positions (128) -> embedding (128)
            conv 6x6 stride 4   conv 3x3 stride 2                                   linear
```
Each convolution has GroupNorm and ReLU. The mean over positions (`pooled`) makes an embedding say what a patch shows, not
where in the patch it is; without it the linear layer reads all positions.
The first convolution has stride 4 (2 for patches under 96 pixels): it avoids maps of half size, on which a CPU spends most of
its time, and is five times as fast as four convolutions of stride 2. The decoder mirrors the encoder with transposed
convolutions that do not overlap, a third of the work of 3x3 ones. Patches of volumes are cubes: one more axis.
Layer list after Rumman et al., PLOS Digit Health 2(12):e0000391 (2023), whose own sizes are not published.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..seeds import generator, initialise
from .bf16 import asks_for_bf16, maps_in_bf16
from .interleaved import interleaved, look_up

Array = npt.NDArray[Any]
SMALLEST_PATCH = {2: 32, 3: 16}
PATCH_MULTIPLE = {2: 16, 3: 8}
"""Smallest side and divisor of the side of a patch, in pixels, by its number of axes."""
NORM_GROUPS = 8
COARSE_STEM_FROM = 96
"""The first convolution has stride 4 for patches of at least this many pixels a side, else stride 2."""
CACHED_BYTES = 2**20
"""Bytes of patches that are centred at a time: they fit in the cache of one core."""
PART = 32
"""Patches whose maps a CPU computes at a time where no gradient is asked for; the bits are those of a whole batch.

Larger maps get pages of their own from the C library, which are made anew for every batch (see `keep_freed_memory`).
"""
MIN_BOTTOM_CELLS = 6
"""The encoder adds convolutions of stride 2, at most one per width, while at least this many cells a side remain."""


def to_float(patches: Array | Tensor) -> Tensor:
    """Stored patches (uint8 or uint16, any shape) as float32 in [0, 1]; floating-point values are not scaled."""
    tensor = patches if isinstance(patches, Tensor) else torch.from_numpy(np.ascontiguousarray(patches))
    if tensor.dtype == torch.uint8:
        return tensor.to(torch.float32).div_(255.0)
    if tensor.dtype == torch.uint16:
        return tensor.to(torch.float32).div_(65535.0)
    return tensor.to(torch.float32)


class Autoencoder(nn.Module):
    """Convolutional autoencoder; a linear layer makes the embedding.

    >>> net = Autoencoder(patch=64, embedding_size=16)
    >>> embeddings_BF = net.encode(torch.zeros(2, 3, 64, 64))
    >>> tuple(embeddings_BF.shape), tuple(net.decode(embeddings_BF).shape)
    ((2, 16), (2, 3, 64, 64))
    """

    def __init__(
        self,
        channels: int = 3,
        patch: int = 128,
        widths: tuple[int, ...] = (32, 64, 128),
        embedding_size: int = 128,
        source: torch.Generator | None = None,
        axes: int = 2,
        pooled: bool = False,
    ) -> None:
        """`source` draws the initial weights (seed 0 without it). Raises SettingsError for a patch of unsuitable size."""
        super().__init__()
        if patch < SMALLEST_PATCH[axes] or patch % PATCH_MULTIPLE[axes]:
            raise SettingsError(
                f"a patch of {patch} pixels cannot be halved evenly: patches are multiples of {PATCH_MULTIPLE[axes]} "
                f"and at least {SMALLEST_PATCH[axes]} pixels a side. Try {_nearest_patch(patch, axes)}."
            )
        self._recipe: dict[str, Any] = {
            "channels": channels,
            "patch": patch,
            "widths": list(widths),
            "embedding_size": embedding_size,
        }
        if axes == 3:
            self._recipe["axes"] = axes
        if pooled:
            self._recipe["pooled"] = pooled
        conv, deconv = ((nn.Conv2d, nn.ConvTranspose2d), (nn.Conv3d, nn.ConvTranspose3d))[axes - 2]
        self._format = torch.channels_last if axes == 2 else torch.channels_last_3d
        self.axes, self.pooled = axes, pooled
        stem = 4 if patch >= COARSE_STEM_FROM else 2
        block_widths = [width for i, width in enumerate(widths) if patch // (stem << i) >= MIN_BOTTOM_CELLS]
        side = patch // (stem << (len(block_widths) - 1))
        self.channels, self.patch, self.embedding_size = channels, patch, embedding_size
        self._bottom = (block_widths[-1], *(side,) * axes)
        flat = block_widths[-1] * side**axes

        blocks: list[nn.Module] = [
            conv(channels, block_widths[0], stem + 2, stem, 1, bias=False),
            *_norm(block_widths[0]),
        ]
        for inputs, outputs in pairwise(block_widths):
            blocks += [conv(inputs, outputs, 3, 2, 1, bias=False), *_norm(outputs)]
        self.encoder = nn.Sequential(*blocks)
        self.to_code = nn.Linear(block_widths[-1] if pooled else flat, embedding_size)

        self.from_code = nn.Linear(embedding_size, flat)
        blocks = [nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(block_widths[::-1]):
            blocks += [deconv(inputs, outputs, 2, 2, bias=False), *_norm(outputs)]
        blocks += [deconv(block_widths[0], channels, stem, stem)]
        self.decoder = nn.Sequential(*blocks)
        initialise(self, source or generator(0, "autoencoder"))
        self.to(memory_format=self._format)  # type: ignore[call-overload]

    def encode(self, patches_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of patches, stored ones or float in [0, 1]."""
        parts = torch.split(patches_BCYX, PART)
        if patches_BCYX.device.type != "cpu" or torch.is_grad_enabled() or len(parts) == 1:
            deep = self._maps(patches_BCYX)
        else:
            deep = torch.cat([self._maps(part_BCYX) for part_BCYX in parts])
        features = deep.flatten(2).mean(2) if self.pooled else deep.contiguous().flatten(1)
        embeddings_BF: Tensor = self.to_code(features)
        return embeddings_BF

    def _maps(self, patches_BCYX: Tensor) -> Tensor:
        """What the convolutions make of patches."""
        if self.axes == 2 and not self.training and asks_for_bf16(patches_BCYX):
            return maps_in_bf16(self.encoder, patches_BCYX)
        maps_BCYX: Tensor = self.encoder(_centred(patches_BCYX, self._format))
        return maps_BCYX

    def decode(self, embeddings_BF: Tensor) -> Tensor:
        """Patches (B, C, Y, X) of embeddings; about [0, 1], not clipped."""
        deep = self.from_code(embeddings_BF).unflatten(1, self._bottom)
        patches_BCYX: Tensor = self.decoder(deep.contiguous(memory_format=self._format))
        return patches_BCYX * 0.25 + 0.5

    def forward(self, patches_BCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(reconstruction, embeddings)."""
        embeddings_BF = self.encode(patches_BCYX)
        return self.decode(embeddings_BF), embeddings_BF

    def reconstruction_error(self, embeddings_BF: Tensor, patches_BCYX: Tensor) -> Tensor:
        """Mean squared error of the patches of embeddings, for patches in [0, 1]."""
        return nn.functional.mse_loss(self.decode(embeddings_BF), patches_BCYX)

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights: `Autoencoder(**recipe)`."""
        return dict(self._recipe)


def _centred(patches_BCYX: Tensor, layout: torch.memory_format) -> Tensor:
    """4 (`to_float` of patches - 0.5) in the layout of the convolutions; the same bits either way.

    On a CPU bytes are looked up in a table. Other values are computed a few patches at a time, which stay in its cache: with
    whole batches this took as long as the convolutions.
    """
    if patches_BCYX.device.type != "cpu" or patches_BCYX.requires_grad or not patches_BCYX.numel():
        return (to_float(patches_BCYX) - 0.5).contiguous(memory_format=layout).mul_(4.0)
    same = patches_BCYX.is_contiguous(memory_format=layout)  # patches of one channel are in either layout
    kept = torch.preserve_format if same else layout
    centred_BCYX = torch.empty_like(patches_BCYX, dtype=torch.float32, memory_format=kept)
    if patches_BCYX.dtype == torch.uint8:
        bytes_BCYX = interleaved(patches_BCYX)
        if bytes_BCYX.stride() == centred_BCYX.stride():
            look_up(bytes_BCYX, _centred_bytes(), centred_BCYX)
            return centred_BCYX
    some = max(1, CACHED_BYTES // centred_BCYX[0].nbytes)
    for at in range(0, len(patches_BCYX), some):
        part_BCYX = to_float(interleaved(patches_BCYX[at : at + some]))
        torch.sub(part_BCYX, 0.5, out=centred_BCYX[at : at + some]).mul_(4.0)
    return centred_BCYX


@cache
def _centred_bytes() -> Array:
    """The centred value of each byte, float32 (256,)."""
    values: Array = ((to_float(torch.arange(256, dtype=torch.uint8)) - 0.5) * 4.0).numpy()
    return values


class _GroupNorm(nn.GroupNorm):
    """Group normalisation that is trained in float32: on CPUs its own bf16 takes three times as long, conversions included."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.dtype == torch.bfloat16 and input.device.type == "cpu":
            return super().forward(input.float()).to(input.dtype)
        return super().forward(input)


def _norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return _GroupNorm(NORM_GROUPS if channels % NORM_GROUPS == 0 else 1, channels), nn.ReLU(inplace=True)


def _nearest_patch(patch: int, axes: int) -> int:
    return max(SMALLEST_PATCH[axes], round(patch / PATCH_MULTIPLE[axes]) * PATCH_MULTIPLE[axes])

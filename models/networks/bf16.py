"""bf16: the encoder of an autoencoder on a CPU in bf16, from stored patches to the maps of its last block.

```text
patch -> pairs of pixels -> convolution -> (statistics in float32, scale, shift, ReLU) in one loop -> convolution -> ...
```
Under autocast torch converts around each convolution, reads bf16 maps with few channels a group value by value, and lays out
patches of three channels slowly: all that took longer than the convolutions. Here a map is written once by a convolution and
changed once in place. Stored bytes less 127.5 are exact in bf16; the factor that centres them goes into the first weights. Two
neighbouring pixels along x are one with twice the channels: the same sums, of which a convolution of few channels is faster.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .interleaved import interleaved

Array = npt.NDArray[Any]
WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0}
"""White in stored patches; it is 1 in those of floating point."""
BLOCK = 64
"""Positions whose sums are added in float32; sums of blocks are added in float64."""


def asks_for_bf16(patches: Tensor) -> bool:
    """Whether patches on a CPU are encoded under an autocast to bf16, and without a gradient."""
    return (
        patches.device.type == "cpu"
        and not torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def maps_in_bf16(blocks: nn.Sequential, patches_BCYX: Tensor) -> Tensor:
    """bf16 maps (B, C, Y, X) of patches, stored ones or float in [0, 1], after the convolutions and norms of `blocks`.

    The first convolution has an even kernel and stride and a padding of 1, as that of an autoencoder; a ReLU follows each norm.
    """
    convolutions = [block for block in blocks if isinstance(block, nn.Conv2d)]
    norms = [block for block in blocks if isinstance(block, nn.GroupNorm)]
    first, white = convolutions[0], WHITE.get(patches_BCYX.dtype, 1.0)
    weight_OCYX = _of_pairs(first.weight.detach() * (4.0 / white))
    stride = (first.stride[0], first.stride[1] // 2)
    maps_BCYX = _normalised(F.conv2d(_pairs(patches_BCYX, white / 2), weight_OCYX, None, stride), norms[0])
    for layer, norm in zip(convolutions[1:], norms[1:], strict=True):
        weight_OCYX = layer.weight.detach().to(torch.bfloat16)
        maps_BCYX = _normalised(F.conv2d(maps_BCYX, weight_OCYX, None, layer.stride, layer.padding), norm)
    return maps_BCYX


def _pairs(patches_BCYX: Tensor, grey: float) -> Tensor:
    """Patches less `grey` in a frame of zeros, two neighbours along x as one: (B, 2 C, Y + 2, X / 2 + 1) in bf16."""
    batch, channels, height, width = patches_BCYX.shape
    pixels_BYXC = interleaved(patches_BCYX).permute(0, 2, 3, 1)
    framed_BYXC = torch.empty(batch, height + 2, width + 2, channels, dtype=torch.bfloat16)
    if pixels_BYXC.dtype == torch.uint8:
        bits_BYR = framed_BYXC.view(torch.uint16).flatten(2).numpy()
        compiled(_frame_bytes)(bits_BYR, pixels_BYXC.flatten(2).numpy(), channels)
    else:
        framed_BYXC.zero_()[:, 1:-1, 1:-1].copy_(pixels_BYXC.to(torch.float32) - grey)
    return framed_BYXC.view(batch, height + 2, width // 2 + 1, 2 * channels).permute(0, 3, 1, 2)


def _of_pairs(weight_OCYX: Tensor) -> Tensor:
    """The weights for pairs of pixels."""
    out, channels, height, width = weight_OCYX.shape
    pairs_OYXC = weight_OCYX.permute(0, 2, 3, 1).reshape(out, height, width // 2, 2 * channels)
    return pairs_OYXC.permute(0, 3, 1, 2).to(torch.bfloat16)


def _normalised(maps_BCYX: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Group normalisation and ReLU of bf16 maps, in place."""
    maps_BYXC = maps_BCYX.permute(0, 2, 3, 1).contiguous()
    values_BPC = maps_BYXC.view(len(maps_BYXC), -1, norm.num_channels).view(torch.uint16).numpy()
    gain, bias = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    compiled(_normalise)(values_BPC, gain, bias, norm.num_groups, norm.eps)
    return maps_BYXC.permute(0, 3, 1, 2)


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """The loop, compiled; it is kept on disk where numba finds a folder to write to (NUMBA_CACHE_DIR) with room in it."""
    from numba import njit

    try:
        fast: Callable[..., None] = njit(nogil=True, cache=True)(loop)
    except RuntimeError:
        fast = njit(nogil=True)(loop)

    def called(*values: object) -> None:
        with suppress(OSError):  # a full disk: the loop was compiled, and not kept; nothing is computed yet
            return fast(*values)
        return fast(*values)

    return called


def _frame_bytes(bits_BYR: Array, bytes_BYR: Array, channels: int) -> None:
    """Bytes less 127.5 as the bits of bf16, in a frame of zeros one pixel wide."""
    batch, height, length = bytes_BYR.shape
    grey, high = np.float32(127.5), np.uint32(16)
    for b in range(batch):
        bits_BYR[b, 0], bits_BYR[b, height + 1] = 0, 0
        for y in range(height):
            row, line = bytes_BYR[b, y], bits_BYR[b, y + 1]
            line[:channels], line[length + channels :] = 0, 0
            inside = line[channels : length + channels]
            for r in range(length):
                inside[r] = np.uint16(np.float32(np.float32(row[r]) - grey).view(np.uint32) >> high)


def _normalise(values_BPC: Array, gain_C: Array, bias_C: Array, groups: int, epsilon: float) -> None:
    """max(0, group normalisation) of bf16 values, given as their bits, which are the upper half of a float32's.

    All sums have a fixed order, so the result depends neither on the processor nor on other patches.
    """
    batch, places, channels = values_BPC.shape
    some = channels // groups
    sums, squares = np.empty(channels, np.float32), np.empty(channels, np.float32)
    scale, shift = np.empty(channels, np.float32), np.empty(channels, np.float32)
    high, half, one, zero = np.uint32(16), np.uint32(0x7FFF), np.uint32(1), np.float32(0)
    for b in range(batch):
        total, power = np.zeros(groups), np.zeros(groups)
        for start in range(0, places, BLOCK):
            sums[:], squares[:] = 0, 0
            for p in range(start, min(start + BLOCK, places)):
                for c in range(channels):
                    value = np.uint32(np.uint32(values_BPC[b, p, c]) << high).view(np.float32)
                    sums[c] += value
                    squares[c] += value * value
            for c in range(channels):
                total[c // some] += sums[c]
                power[c // some] += squares[c]
        for c in range(channels):
            mean = total[c // some] / (places * some)
            variance = max(power[c // some] / (places * some) - mean * mean, 0.0)
            factor = gain_C[c] / np.sqrt(variance + epsilon)
            scale[c], shift[c] = factor, bias_C[c] - mean * factor
        for p in range(places):
            for c in range(channels):
                value = np.uint32(np.uint32(values_BPC[b, p, c]) << high).view(np.float32)
                value = value * scale[c] + shift[c]
                value = zero if value < zero else value
                bits = np.float32(value).view(np.uint32)
                values_BPC[b, p, c] = np.uint16(
                    (bits + half + ((bits >> high) & one)) >> high
                )  # to nearest, ties to even

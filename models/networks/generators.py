"""Generators: networks that turn an image of one site into one of another, cell by cell, the same in any tile.

All are residual, output = input + tanh(network), and none takes statistics of its input: with the halo of its receptive field
and tiles on its stride, a tile gets the values of the whole image. Outside the image lies background, which is 0.

```text
unet    x-[16]------------------------------------[16]-y      Roca et al., Med Image Anal 99:103388 (2025), IGUANe;
           [32]-----------------------[32]                    batch renormalization in place of instance normalization
              [64]--------------[64]
                 [128]----[128]
                     [256]
resnet  7x7, two of stride 2, 9 (or 6) residual blocks, two transposed, 7x7      Zhu et al., ICCV 2017, CycleGAN
```
"""

# B batch, C channel, Z Y X

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..seeds import generator, initialise
from .batch_renorm import BatchRenorm
from .receptive_field import ReceptiveField, receptive_field

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
PLANES = 16
"""Slices that are computed at once, so that memory does not grow with a tile's thickness."""
LAST = 0.1
"""Factor on the first weights of the last layer: training begins near the identity."""


class UNetGenerator(nn.Module):
    """A residual U-Net of four halvings; sides of its input are multiples of 16.

    >>> net = UNetGenerator(axes=3, width=4)
    >>> net.field
    ReceptiveField(size=172, reach=91, stride=16)
    """

    def __init__(
        self, channels: int = 1, axes: int = 3, width: int = 16, source: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.recipe: dict[str, Any] = {"kind": "unet", "channels": channels, "axes": axes, "width": width}
        conv, transposed = CONV[axes], TRANSPOSED[axes]
        widths = [width << i for i in range(5)]
        self.ins, self.downs, self.ups, self.outs = (nn.ModuleList() for _ in range(4))
        inputs = channels
        for a in widths[:-1]:
            self.ins.append(nn.Sequential(conv(inputs, a, 3, padding=1), nn.ReLU(), BatchRenorm(a)))
            self.downs.append(nn.Sequential(conv(a, a, 4, 2, 1), nn.ReLU(), BatchRenorm(a)))
            inputs = a
        self.bottom = nn.Sequential(conv(inputs, widths[-1], 3, padding=1), nn.ReLU(), BatchRenorm(widths[-1]))
        inputs = widths[-1]
        for a in widths[-2::-1]:
            self.ups.append(nn.Sequential(transposed(inputs, a, 4, 2, 1), nn.ReLU(), BatchRenorm(a)))
            self.outs.append(nn.Sequential(conv(2 * a, a, 3, padding=1), nn.ReLU(), BatchRenorm(a)))
            inputs = a
        self.last = conv(inputs + channels, channels, 1)
        _begin(self, self.last, source)

    def forward(self, x_BCZYX: Tensor) -> Tensor:
        skips, y = [], x_BCZYX
        for block, down in zip(self.ins, self.downs, strict=True):
            skips.append(block(y))
            y = down(skips[-1])
        y = self.bottom(y)
        for up, block in zip(self.ups, self.outs, strict=True):
            y = block(torch.cat([up(y), skips.pop()], 1))
        return x_BCZYX + torch.tanh(self.last(torch.cat([y, x_BCZYX], 1)))

    @property
    def field(self) -> ReceptiveField:
        def deepest() -> Iterator[nn.Module]:
            for block, down in zip(self.ins, self.downs, strict=True):
                yield from (*block, *down)  # type: ignore[misc]
            yield from self.bottom
            for up, block in zip(self.ups, self.outs, strict=True):
                yield from (*up, *block)  # type: ignore[misc]
            yield self.last

        return receptive_field(deepest())


class ResNetGenerator(nn.Module):
    """The residual generator of CycleGAN; sides of its input are multiples of 4.

    >>> ResNetGenerator(axes=2, width=4).field, ResNetGenerator(axes=2, width=4, blocks=6).field.size
    (ReceptiveField(size=169, reach=84, stride=4), 121)
    """

    def __init__(
        self, channels: int = 1, axes: int = 2, width: int = 64, blocks: int = 9, source: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.recipe: dict[str, Any] = {
            "kind": "resnet",
            "channels": channels,
            "axes": axes,
            "width": width,
            "blocks": blocks,
        }
        conv, transposed = CONV[axes], TRANSPOSED[axes]
        w = width
        self.head = nn.Sequential(
            *(conv(channels, w, 7, padding=3), BatchRenorm(w), nn.ReLU()),
            *(conv(w, 2 * w, 3, 2, 1), BatchRenorm(2 * w), nn.ReLU()),
            *(conv(2 * w, 4 * w, 3, 2, 1), BatchRenorm(4 * w), nn.ReLU()),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(conv(4 * w, 4 * w, 3, padding=1), BatchRenorm(4 * w), nn.ReLU()),
                *(conv(4 * w, 4 * w, 3, padding=1), BatchRenorm(4 * w)),
            )
            for _ in range(blocks)
        )
        self.tail = nn.Sequential(
            *(transposed(4 * w, 2 * w, 3, 2, 1, output_padding=1), BatchRenorm(2 * w), nn.ReLU()),
            *(transposed(2 * w, w, 3, 2, 1, output_padding=1), BatchRenorm(w), nn.ReLU()),
        )
        self.last = conv(w, channels, 7, padding=3)
        _begin(self, self.last, source)

    def forward(self, x_BCYX: Tensor) -> Tensor:
        y = self.head(x_BCYX)
        for block in self.blocks:
            y = y + block(y)
        return x_BCYX + torch.tanh(self.last(self.tail(y)))

    @property
    def field(self) -> ReceptiveField:
        blocks = (layer for block in self.blocks for layer in block)  # type: ignore[attr-defined]
        return receptive_field([*self.head, *blocks, *self.tail, self.last])


class ThreePlanes(nn.Module):
    """A generator of slices on volumes: applied along all three axes; the mean of the three."""

    def __init__(self, slices: UNetGenerator | ResNetGenerator) -> None:
        super().__init__()
        self.slices = slices
        self.recipe: dict[str, Any] = slices.recipe

    def forward(self, x_BCZYX: Tensor) -> Tensor:
        total = torch.zeros_like(x_BCZYX)
        for axis in (2, 3, 4):
            planes = x_BCZYX.movedim(axis, 1)
            parts = torch.split(planes.flatten(0, 1), PLANES)
            slices = torch.cat([self.slices(part) for part in parts])
            total += slices.view(planes.shape).movedim(1, axis)
        return total / 3

    @property
    def field(self) -> ReceptiveField:
        return self.slices.field


def generator_of(recipe: dict[str, Any], source: torch.Generator | None = None) -> UNetGenerator | ResNetGenerator:
    """The generator that a recipe describes. Raises KeyError for an unknown kind."""
    kinds = {"unet": UNetGenerator, "resnet": ResNetGenerator}
    arguments = {name: value for name, value in recipe.items() if name != "kind"}
    network: UNetGenerator | ResNetGenerator = kinds[recipe["kind"]](**arguments, source=source)
    return network


def _begin(network: nn.Module, last: nn.Module, source: torch.Generator | None) -> None:
    initialise(network, source or generator(0, "generator"))
    with torch.no_grad():
        last.weight.mul_(LAST)  # type: ignore[operator]

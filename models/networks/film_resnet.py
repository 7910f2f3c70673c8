"""FilmResNet: a small residual network for few films: batch norms, and the mean and the maximum of each map at the end.

```text
(1, S, S) -> each film's own mean and deviation taken off -> conv 5² stride 2, norm, ReLU -> B1 -> B2 -> B3 -> B4
block:  conv 3² (stride 2 from B2 on), norm, ReLU, conv 3², norm;  + input, through means of 2² cells and a 1² convolution; ReLU
B4's maps -> mean and maximum over cells -> dropout -> linear -> K
```
He et al., CVPR 2016 (shortcuts as He et al., CVPR 2019), with one block of each width. The tone of a film is that of its
exposure, so it is taken off first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..seeds import generator
from .film_network import FilmNetwork, check_sizes

WIDTHS = (16, 32, 64, 128)
"""Maps of the blocks."""
LEAST_SIDE = 32
"""The maps of B4 have a sixteenth of the side."""
FAINTEST = 1e-3
"""Least deviation that a film is divided by: an empty film stays empty."""


class FilmResNet(FilmNetwork):
    """The network above, for films of any side from 32.

    >>> network = FilmResNet(classes=2, side=64, widths=(4, 8, 8, 16))
    >>> tuple(network(torch.zeros(3, 1, 64, 64)).shape), tuple(network.maps(torch.zeros(3, 1, 64, 64)).shape)
    ((3, 2), (3, 16, 4, 4))
    """

    def __init__(
        self,
        classes: int = 2,
        side: int = 96,
        widths: tuple[int, ...] = WIDTHS,
        dropout: float = 0.2,
        *,
        source: torch.Generator | None = None,
    ) -> None:
        """`source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network."""
        super().__init__()
        check_sizes("film_resnet", classes, side, LEAST_SIDE)
        self.recipe = {
            **{"architecture": "film_resnet", "classes": classes, "side": side},
            **{"widths": list(widths), "dropout": dropout},
        }
        self.classes, self.side = classes, side
        stem = nn.Sequential(nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.layers = nn.ModuleList([nn.Sequential(stem, _Residual(widths[0], widths[0], 1))])
        self.layers.extend(_Residual(before, after, 2) for before, after in pairwise(widths))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], classes))
        self.draw_weights(source or generator(0, "film_resnet"))

    def blocks(self) -> Mapping[str, nn.Module]:
        return {f"B{number}": layer for number, layer in enumerate(self.layers, 1)}

    def prepare(self, films_BCYX: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(films_BCYX, (1, 2, 3), correction=0, keepdim=True)
        return (films_BCYX - mean) / deviation.clamp_min(FAINTEST)

    def pooled(self, maps_BFYX: Tensor) -> Tensor:
        return torch.cat([maps_BFYX.mean((2, 3)), maps_BFYX.amax((2, 3))], 1)


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential()
        if stride > 1:
            # a mean, and not a stride in the convolution: oneDNN's backward pass of a strided 1 x 1 convolution of few maps in
            # channels_last writes beyond its memory (torch 2.13)
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if before != after:
            self.shortcut.append(nn.Conv2d(before, after, 1, bias=False)).append(nn.BatchNorm2d(after))

    def forward(self, inputs_BCYX: Tensor) -> Tensor:
        deep = torch.relu(self.bn1(self.conv1(inputs_BCYX)))
        return torch.relu(self.bn2(self.conv2(deep)) + self.shortcut(inputs_BCYX))

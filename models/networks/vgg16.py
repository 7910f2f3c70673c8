"""VGG16: thirteen convolutions in five blocks, with the names of torchvision's state dict, and a small head of its own.

```text
(1, S, S) -> three equal channels, ImageNet's mean and standard deviation
          -> B1 64,64  B2 128,128  B3 256,256,256  B4 512,512,512  B5 512,512,512: conv 3² and ReLU each, max pool 2 behind
          -> mean over cells (512) -> linear, ReLU, dropout -> K
```
Simonyan and Zisserman, ICLR 2015, configuration D. `features.0.weight` … `features.28.bias` load published weights; the 124
million weights of the published classifier are left out, since 51 films cannot train them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..seeds import generator
from .film_network import FilmNetwork, check_sizes
from .preparation import IMAGENET_MEAN, IMAGENET_STD

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Maps of the convolutions, block after block."""
LEAST_SIDE = 32
"""Each block halves the maps."""


class VGG16(FilmNetwork):
    """VGG16 of grey films; `inner` is the width of the layer between the pooled maps and the classes.

    >>> network = VGG16(classes=2, side=32, inner=8)
    >>> list(network.blocks()), tuple(network(torch.zeros(2, 1, 32, 32)).shape)
    (['B1', 'B2', 'B3', 'B4', 'B5'], (2, 2))
    """

    def __init__(
        self, classes: int = 2, side: int = 224, inner: int = 256, *, source: torch.Generator | None = None
    ) -> None:
        """`source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network."""
        super().__init__()
        check_sizes("vgg16", classes, side, LEAST_SIDE)
        self.recipe = {"architecture": "vgg16", "classes": classes, "side": side, "inner": inner}
        self.classes, self.side = classes, side
        layers: list[nn.Module] = []
        self._ends, before = [0], 3
        for block in WIDTHS:
            for width in block:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
            self._ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(before, inner), nn.ReLU(), nn.Dropout(0.5), nn.Linear(inner, classes))
        self.draw_weights(source or generator(0, "vgg16"))

    def blocks(self) -> Mapping[str, nn.Module]:
        return {f"B{n}": self.features[start:stop] for n, (start, stop) in enumerate(pairwise(self._ends), 1)}

    def prepare(self, films_BCYX: Tensor) -> Tensor:
        mean_C11, std_C11 = (
            torch.tensor(values, device=films_BCYX.device)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
        return (films_BCYX.expand(-1, 3, -1, -1) - mean_C11) / std_C11

    def pooled(self, maps_BFYX: Tensor) -> Tensor:
        return maps_BFYX.mean((2, 3))

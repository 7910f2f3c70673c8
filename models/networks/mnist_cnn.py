"""MnistCNN: two convolutions and two linear layers, which Kurotaki et al. trained on chest films of 100 x 100.

```text
(1, S, S) -> conv 3², ReLU (32) -> conv 3², ReLU (32) -> max pool 2 -> dropout .25 -> linear 128, ReLU -> dropout .5 -> K
```
Convolutions are not padded. The layers are those of Keras's example mnist_cnn.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..seeds import generator
from .film_network import FilmNetwork, check_sizes

LEAST_SIDE = 8


class MnistCNN(FilmNetwork):
    """The network above; its linear layer reads every cell of the maps, so the films' side is part of it.

    >>> network = MnistCNN(classes=2, side=20)
    >>> tuple(network(torch.zeros(3, 1, 20, 20)).shape), tuple(network.maps(torch.zeros(3, 1, 20, 20)).shape)
    ((3, 2), (3, 32, 8, 8))
    """

    def __init__(self, classes: int = 2, side: int = 100, *, source: torch.Generator | None = None) -> None:
        """`source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network."""
        super().__init__()
        check_sizes("mnist_cnn", classes, side, LEAST_SIDE)
        self.recipe = {"architecture": "mnist_cnn", "classes": classes, "side": side}
        self.classes, self.side = classes, side
        self.conv1 = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2))
        cells = (side - 4) // 2
        self.head = nn.Sequential(
            nn.Dropout(0.25), nn.Linear(32 * cells**2, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, classes)
        )
        self.draw_weights(source or generator(0, "mnist_cnn"))

    def blocks(self) -> Mapping[str, nn.Module]:
        return {"B1": self.conv1, "B2": self.conv2}

    def prepare(self, films_BCYX: Tensor) -> Tensor:
        return films_BCYX

    def pooled(self, maps_BFYX: Tensor) -> Tensor:
        return maps_BFYX.flatten(1)

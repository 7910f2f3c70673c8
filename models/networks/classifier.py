"""Classifier: the class of a volume or of a tile, and maps of the evidence that keep their position.

```text
(C, z, y, x) -> [conv 3³, ReLU, conv 3³, BatchNorm, ReLU, max pool 2] x blocks (8, 16, 32, 64, 128 maps) -> maps
             -> means of the maps over a grid of `pool` cells along each axis -> linear -> classes
```
Tiles of slides have the same network with one axis less. BatchNorm computes with fixed statistics when the network is applied,
so the class of a volume does not depend on the others of its batch.

Layer list of the site classifier of Roca et al., Medical Image Analysis 99:103388 (2025), for volumes of 160 x 192 x 160.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import SettingsError
from ..seeds import generator, initialise

WIDTHS = (8, 16, 32, 64, 128)
"""Maps of the blocks, if there are all five."""
MIN_CELLS = 4
"""Fewest cells along the shortest side of the last maps: evidence is mapped at their resolution."""
INPUT_GAIN = 4.0
"""Factor of the input: values in [0, 1], mostly background of 0, have a standard deviation of about a quarter."""
CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
WHOLE_WEIGHT = 0.4
"""Weight of the mean of the whole image in the mean of each cell of the grid, where a cell that lies inside wholly has 1:
corners that hold little of a head are mostly like the whole, and not noise."""
NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def widths_for(shape: Sequence[int], widths: tuple[int, ...] = WIDTHS) -> tuple[int, ...]:
    """As many of the blocks as leave `MIN_CELLS` cells along the shortest side, at least two.

    >>> widths_for((160, 192, 160)), widths_for((91, 109, 91)), widths_for((32, 32))
    ((8, 16, 32, 64, 128), (8, 16, 32, 64), (8, 16, 32))
    """
    blocks = 0
    while blocks < len(widths) and min(shape) >> (blocks + 1) >= MIN_CELLS:
        blocks += 1
    return widths[: max(2, blocks)]


class Classifier(nn.Module):
    """A convolutional network that tells classes apart, of images with two or three axes and any sides.

    >>> network = Classifier(classes=3, widths=(8, 16))
    >>> network(torch.zeros(2, 1, 24, 32, 24)).shape, network.maps(torch.zeros(2, 1, 24, 32, 24)).shape
    (torch.Size([2, 3]), torch.Size([2, 16, 6, 8, 6]))
    """

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        axes: int = 3,
        widths: tuple[int, ...] = WIDTHS,
        *,
        pool: int = 1,
        masked: bool = False,
        source: torch.Generator | None = None,
    ) -> None:
        """`pool`: cells along each axis of the grid that maps are averaged to; 1 forgets where something is.
        `masked`: means are of the cells whose input is not 0, as it is outside of a head.

        `source` draws the initial weights (seed 0 without it). Raises SettingsError for sizes that make no network.
        """
        super().__init__()
        if classes < 2 or axes not in CONVOLUTIONS or not widths or pool < 1:
            raise SettingsError(
                f"a classifier of {classes} classes of images with {axes} axes, blocks of {widths} maps and {pool} cells "
                "cannot be made: it needs two classes, two or three axes, one block and one cell."
            )
        self.recipe: dict[str, Any] = {
            **{"classes": classes, "channels": channels, "axes": axes, "widths": list(widths)},
            **{"pool": pool, "masked": masked},
        }
        self.classes, self.channels, self.axes, self.pool, self.masked = classes, channels, axes, pool, masked
        self.blocks = nn.Sequential(*[_block(axes, a, b) for a, b in pairwise((channels, *widths))])
        self.head = nn.Linear(widths[-1] * pool**axes, classes)
        initialise(self, source or generator(0, "classifier"))

    def maps(self, images_BCZYX: Tensor) -> Tensor:
        """The last block's maps (B, F, *cells); a cell is 2**blocks pixels or voxels wide, and the first is at the origin."""
        order = torch.channels_last if self.axes == 2 else torch.channels_last_3d  # several times as fast on a CPU
        return torch.as_tensor(self.blocks((images_BCZYX * INPUT_GAIN).contiguous(memory_format=order)))

    def inside(self, images_BCZYX: Tensor, cells: torch.Size) -> Tensor | None:
        """Share of each cell of the maps that lies inside (B, 1, *cells): the input is not 0. None where all of it counts."""
        if not self.masked:
            return None
        return self._mean((images_BCZYX != 0).any(1, keepdim=True).to(images_BCZYX.dtype), cells)

    def weighted_means(self, weighted_BFZYX: Tensor, inside_B1ZYX: Tensor | None, pool: int = 0) -> Tensor:
        """Means of maps that were multiplied by the share inside, over each cell of the grid (B, G)."""
        means = self._mean(weighted_BFZYX, pool or self.pool)
        if inside_B1ZYX is not None:
            axes = tuple(range(2, means.ndim))
            share, weight = self._mean(inside_B1ZYX, pool or self.pool), WHOLE_WEIGHT
            whole = means.sum(axes, keepdim=True) / share.sum(axes, keepdim=True).clamp_min(1e-6)
            means = (means + weight * whole) / (share + weight)
        return means.flatten(1)

    def means(self, maps_BFZYX: Tensor, images_BCZYX: Tensor, *, pool: int = 0) -> Tensor:
        """Means of the maps over each cell of the grid of `pool` cells along each axis (its own by default), (B, G)."""
        inside = self.inside(images_BCZYX, maps_BFZYX.shape[2:])
        return self.weighted_means(maps_BFZYX if inside is None else maps_BFZYX * inside, inside, pool)

    def _mean(self, values: Tensor, cells: Any) -> Tensor:
        mean: Any = F.adaptive_avg_pool2d if self.axes == 2 else F.adaptive_avg_pool3d
        return torch.as_tensor(mean(values, cells))

    def features(self, images_BCZYX: Tensor) -> Tensor:
        """What the last layer sees (B, G)."""
        return self.means(self.maps(images_BCZYX), images_BCZYX)

    def logits_of_maps(self, weighted_BFZYX: Tensor, inside_B1ZYX: Tensor | None = None) -> Tensor:
        """Logits (B, K) of the last block's maps, multiplied by the share inside."""
        return torch.as_tensor(self.head(self.weighted_means(weighted_BFZYX, inside_B1ZYX)))

    def forward(self, images_BCZYX: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, *sides) in [0, 1]."""
        return torch.as_tensor(self.head(self.features(images_BCZYX)))


def classifier_of(recipe: dict[str, Any]) -> Classifier:
    """The network that a recipe describes, with new weights."""
    return Classifier(**{**recipe, "widths": tuple(recipe["widths"])})


def _block(axes: int, before: int, after: int) -> nn.Sequential:
    convolution = CONVOLUTIONS[axes]
    pool: type[nn.Module] = nn.MaxPool2d if axes == 2 else nn.MaxPool3d
    return nn.Sequential(
        convolution(before, after, 3, padding=1),
        nn.ReLU(),
        convolution(after, after, 3, padding=1),
        NORMS[axes](after),
        nn.ReLU(),
        pool(2),
    )

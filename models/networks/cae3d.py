"""CAE3D: convolutional autoencoder of whole volumes with any three sides, unlike the autoencoder of square patches.

```text
strided   80x96x80 -> 16 x 40x48x40 -> 32 x 20x24x20 -> 64 x 10x12x10 -> 128 x 5x6x5 -> embedding (150)
          every step a conv 3³ of stride 2; then one linear layer
pooled    (conv 3³, conv 3³, max pool 2) once a block -> conv 3³ to a few maps: the embedding is those maps, flattened
```
Every convolution has GroupNorm and ReLU, so that an embedding does not depend on the other volumes of its batch. The strided
decoder mirrors the encoder with transposed convolutions that do not overlap, the pooled one with upsampling and convolutions.

The output is a deviation from `template`, the mean of the volumes at the start of a training. The strided network has a linear
path beside its blocks: principal components of those volumes lead into the embedding and back out of it. Training starts near
the result of the components, and the blocks learn the rest; without this path, some hundred steps on a few dozen volumes end
little better than the mean. The embedding also reads mean and maximum of each block's maps, which do not depend on position.

Strided: sizes of Onga et al., IEEE BigData 2019, and Arai et al., EMBC 2018, whose layers are not published.
Pooled: Yamaguchi et al., Frontiers in Neuroscience 15:652987 (2021).
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ...errors import SettingsError
from ..seeds import generator, initialise

Shape = tuple[int, int, int]
NORM_GROUPS = 8
INPUT_GAIN = 4.0
"""Factor of the input: values in [0, 1], mostly background of 0, have a standard deviation of about a quarter."""
EMBEDDING_SPREAD = 5.0
"""Root of the mean squared distance of embeddings from the template's embedding at the start of a training."""
MAX_COMPONENT_CELLS = 80_000
"""Largest number of cells of a component, unless the halvings are used up; 80 x 96 x 80 voxels need blocks of 2."""
SHARPENING_STEPS = 2
"""Corrections of interpolated block means: brains at 2 mm lose 3.2 points of RMSE without one, then 2.8, 2.7, 2.7."""
MAX_COMPONENTS = 256
"""Largest number of components for any embedding size; with 80,000 cells each they take 80 MB of the network."""
MIN_VARIANCE_SHARE = 1e-5
"""Smallest variance of a component relative to the strongest one; smaller values are rounding errors."""
CLASS_FEATURE_SCALE = 20.0
"""The embeddings' spread is about 5: class features outweigh it between classes, and keep the order within a class."""
INITIAL_WEIGHT_SCALE = 0.1
"""Scale of the initial weights beside the components, and of the last layer of a pooled network, whose initial output is the
template."""


class CAE3D(nn.Module):
    """Convolutional autoencoder of volumes with an embedding of `embedding_size` numbers, or of `maps` small flattened maps.

    >>> net = CAE3D((32, 48, 32), widths=(8, 16), embedding_size=10)
    >>> embeddings_BF = net.encode(torch.zeros(2, 1, 32, 48, 32))
    >>> tuple(embeddings_BF.shape), tuple(net.decode(embeddings_BF).shape)
    ((2, 10), (2, 1, 32, 48, 32))
    """

    def __init__(
        self,
        shape: Shape = (80, 96, 80),
        widths: tuple[int, ...] = (16, 32, 64, 128),
        embedding_size: int = 150,
        channels: int = 1,
        maps: int = 0,
        class_features: int = 0,
        source: torch.Generator | None = None,
    ) -> None:
        """`shape`: z, y, x in voxels. `maps` over 0 makes the pooled network and ignores `embedding_size`.
        `class_features`: see `add_class_features`.

        `source` draws the initial weights (seed 0 without it). Raises SettingsError for a shape that cannot be halved.
        """
        super().__init__()
        shape = (shape[0], shape[1], shape[2])
        self.bottom = halved_shape(shape, len(widths))
        self._recipe = {
            "shape": list(shape),
            "widths": list(widths),
            "embedding_size": embedding_size,
            "channels": channels,
            "maps": maps,
        }
        self._recipe["class_features"] = 0
        self.shape, self.channels, self.maps = shape, channels, maps
        self.template: Tensor
        self.checkpointing = False
        """Whether blocks are recomputed in the backward pass: slower, with a fraction of the memory."""
        self.mixed_precision = False
        """Whether convolutions use bfloat16. An autocast around a whole training would keep its first copies of the weights."""
        make = _pooled if maps else _strided
        self.encoder, self.decoder = make(channels, tuple(widths), maps)
        flat = (maps or widths[-1]) * prod(self.bottom)
        self.embedding_size = flat if maps else embedding_size
        self.register_buffer("template", torch.zeros(channels, *shape))
        self._block = _block(channels, shape, len(widths))
        self._blocks = (channels, *(side // self._block for side in shape))
        self.components_FG: Tensor
        self.unit: Tensor
        straight = 0 if maps else min(embedding_size, MAX_COMPONENTS)
        self.register_buffer("components_FG", torch.zeros(straight, prod(self._blocks)))
        self.register_buffer("unit", torch.ones(()))
        self.to_code: nn.Module = (
            nn.Identity() if maps else nn.Linear(straight + 2 * sum(widths) + flat, embedding_size)
        )
        self.from_code: nn.Module = nn.Identity() if maps else nn.Sequential(nn.Linear(embedding_size, flat), nn.ReLU())
        self.to_components = None if maps else nn.Linear(embedding_size, straight)
        self.class_features = 0
        self.to_class_features: nn.Linear | None = None
        initialise(self, source or generator(0, "cae3d"))
        with torch.no_grad():
            self.decoder[-1].weight.mul_(INITIAL_WEIGHT_SCALE if maps else 0.0)  # type: ignore[operator]
        if class_features:
            self.add_class_features(class_features)

    def add_class_features(self, classes: int) -> None:
        """Make the last `classes` numbers of an embedding class probabilities, predicted linearly from the other numbers and
        multiplied by `CLASS_FEATURE_SCALE`.

        Embeddings learned from distances change gradually between classes, while clusters and neighbours depend on the
        nearest embeddings; these numbers separate the classes. An embedding of maps, or a short one, gets none.
        """
        if self.maps or self.class_features or self.embedding_size < 3 * classes:
            return
        self.class_features = self._recipe["class_features"] = classes
        self.to_class_features = nn.Linear(self.embedding_size - classes, classes).to(self.template.device)
        nn.init.zeros_(self.to_class_features.weight)
        nn.init.zeros_(self.to_class_features.bias)
        if self.to_components is not None:
            self.to_components.weight.data[:, -classes:].zero_()

    def encode(self, volumes_BCZYX: Tensor) -> Tensor:
        """Embeddings (B, F) of float volumes in [0, 1]."""
        return self.with_class_features(self.to_code(self.features(volumes_BCZYX)))

    def with_class_features(self, embeddings_BF: Tensor) -> Tensor:
        """`embeddings_BF`, as `to_code` makes them, with class features in their last numbers."""
        if self.to_class_features is None:
            return embeddings_BF
        plain_BF = embeddings_BF[:, : -self.class_features]
        return torch.cat([plain_BF, CLASS_FEATURE_SCALE * self.to_class_features(plain_BF.detach()).softmax(1)], 1)

    def features(self, volumes_BCZYX: Tensor) -> Tensor:
        """Input of `to_code` (B, G): in a strided network components, mean and maximum of each block's maps; then the
        last maps, flattened."""
        parts, deep = [], volumes_BCZYX * INPUT_GAIN
        if not self.maps:
            parts.append(self.coarse(volumes_BCZYX) @ self.components_FG.T / self.unit)
        for block in self.encoder:
            deep = self._through(block, deep)
            if not self.maps:
                parts += [deep.mean((2, 3, 4)), deep.amax((2, 3, 4))]
        return torch.cat([*parts, deep.flatten(1)], 1)

    def coarse(self, volumes_BCZYX: Tensor) -> Tensor:
        """Deviation from the template, averaged over blocks of a few voxels and flattened (B, G): the input of components."""
        return F.avg_pool3d(volumes_BCZYX - self.template, self._block).flatten(1)

    def decode(self, embeddings_BF: Tensor) -> Tensor:
        """Volumes (B, C, Z, Y, X) of embeddings; about [0, 1], not clipped."""
        deep: Tensor = self.from_code(embeddings_BF).unflatten(1, (-1, *self.bottom))
        for block in self.decoder:
            deep = self._through(block, deep)
        again_BCZYX = deep / INPUT_GAIN + self.template
        if self.to_components is None:
            return again_BCZYX
        coarse_BG = (self.unit * self.to_components(embeddings_BF)) @ self.components_FG
        return again_BCZYX + self._fine(coarse_BG.unflatten(1, self._blocks))

    def forward(self, volumes_BCZYX: Tensor) -> tuple[Tensor, Tensor]:
        """(reconstruction, embeddings)."""
        embeddings_BF = self.encode(volumes_BCZYX)
        return self.decode(embeddings_BF), embeddings_BF

    @torch.no_grad()
    def begin_as(self, coarse_NG: Tensor) -> None:
        """Start from the principal components of `coarse_NG`: rows of `coarse` of volumes, and of views of them.

        Components are relative to the template, which is set before. The first numbers of an embedding become the strongest
        components, in one unit, and reconstructions those of the components, at the resolution of the blocks; class features
        come last. Other numbers start from the blocks' initial weights. Raises SettingsError for a pooled network.
        """
        if not isinstance(self.to_code, nn.Linear) or self.to_components is None:
            raise SettingsError("an embedding of maps has no components to start from. Use a network without `maps`.")
        values, vectors = torch.linalg.eigh((coarse_NG @ coarse_NG.T).double())
        limit = min(len(self.components_FG), self.embedding_size - self.class_features, len(values) - 1)
        order = values.argsort(descending=True)[:limit]
        order = order[values[order] > MIN_VARIANCE_SHARE * values.max()]
        count = len(order)
        if not count:
            return
        self.components_FG[:count] = (vectors[:, order] / values[order].sqrt()).T.to(coarse_NG.dtype) @ coarse_NG
        self.unit.fill_((values.sum() / len(values)).sqrt() / EMBEDDING_SPREAD)
        self.to_code.weight.mul_(INITIAL_WEIGHT_SCALE)
        for layer in (self.to_code, self.to_components):
            layer.bias.zero_()
            layer.weight[:count].zero_()
            layer.weight[:count, :count].fill_diagonal_(1.0)

    def _fine(self, means: Tensor) -> Tensor:
        """A smooth volume whose block means are nearly `means`: interpolation alone would blur them."""
        if self._block == 1:
            return means
        target = means
        for _ in range(SHARPENING_STEPS):
            fine = F.interpolate(means, self.shape, mode="trilinear")
            means = means + target - F.avg_pool3d(fine, self._block)
        return F.interpolate(means, self.shape, mode="trilinear")

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights: `CAE3D(**recipe)`."""
        return dict(self._recipe)

    def _through(self, block: nn.Module, deep: Tensor) -> Tensor:
        again = self.checkpointing and torch.is_grad_enabled()
        with torch.autocast(deep.device.type, torch.bfloat16, enabled=self.mixed_precision):
            deep = checkpoint(block, deep, use_reentrant=False) if again else block(deep)
        return deep.float()


def halved_shape(shape: Shape, times: int) -> Shape:
    """`shape` after `times` halvings. Raises SettingsError if a side cannot be halved evenly that often."""
    multiple = 1 << times
    if any(side % multiple or side < 2 * multiple for side in shape):
        near = [max(2, round(side / multiple)) * multiple for side in shape]
        raise SettingsError(
            f"volumes of {' x '.join(map(str, shape))} voxels cannot be halved evenly {times} times, as a network of "
            f"{times} blocks does: every side must be a multiple of {multiple} and at least {2 * multiple}. "
            f"Use {' x '.join(map(str, near))}, or a network of fewer blocks."
        )
    return shape[0] // multiple, shape[1] // multiple, shape[2] // multiple


def _block(channels: int, shape: Shape, halvings: int) -> int:
    """Side of the components' blocks: the smallest power of 2 that keeps their number within the limit, or all halvings."""
    cells = channels * prod(shape)
    return next((1 << n for n in range(halvings) if cells <= MAX_COMPONENT_CELLS << 3 * n), 1 << halvings)


def _strided(channels: int, widths: tuple[int, ...], _maps: int) -> tuple[nn.Sequential, nn.Sequential]:
    down = [
        nn.Sequential(nn.Conv3d(inputs, outputs, 3, 2, 1, bias=False), *_norm(outputs))
        for inputs, outputs in pairwise((channels, *widths))
    ]
    up = [
        nn.Sequential(nn.ConvTranspose3d(inputs, outputs, 2, 2, bias=False), *_norm(outputs))
        for inputs, outputs in pairwise(widths[::-1])
    ]
    return nn.Sequential(*down), nn.Sequential(*up, nn.ConvTranspose3d(widths[0], channels, 2, 2))


def _pooled(channels: int, widths: tuple[int, ...], maps: int) -> tuple[nn.Sequential, nn.Sequential]:
    down = [
        nn.Sequential(*_conv(inputs, outputs), *_conv(outputs, outputs), nn.MaxPool3d(2))
        for inputs, outputs in pairwise((channels, *widths))
    ]
    up = [
        nn.Sequential(nn.Upsample(scale_factor=2), *_conv(inputs, outputs), *_conv(outputs, outputs))
        for inputs, outputs in pairwise((maps, *widths[::-1]))
    ]
    return (
        nn.Sequential(*down, nn.Conv3d(widths[-1], maps, 3, 1, 1)),
        nn.Sequential(*up, nn.Conv3d(widths[0], channels, 3, 1, 1)),
    )


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv3d(inputs, outputs, 3, 1, 1, bias=False), *_norm(outputs)


def _norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(NORM_GROUPS if channels % NORM_GROUPS == 0 else 1, channels), nn.ReLU(inplace=True)

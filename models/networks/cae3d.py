"""CAE3D: volumes to codes and back; apart from the flat autoencoder because its volumes have any three sides.

```text
strided   80x96x80 -> 16 x 40x48x40 -> 32 x 20x24x20 -> 64 x 10x12x10 -> 128 x 5x6x5 -> code (150)
          every step a conv 3³ of stride 2; then one linear layer
pooled    (conv 3³, conv 3³, max pool 2) once a block -> conv 3³ to a few maps: the code is those maps, laid flat
```
Every convolution has GroupNorm and ReLU, so that a volume's code does not depend on its batch. The strided decoder mirrors
the encoder with transposed convolutions that do not overlap, the pooled one with doubling and convolutions.

What comes out is a deviation from `template`, the mean of the volumes that a training begins with. Beside the strided blocks
the same code has a straight way: in by those volumes' principal components, out by the same. A training begins near what
components can do, and the blocks learn what they leave out; without it, some hundred steps on a few dozen volumes end little
better than the mean. A code also has mean and maximum of each block's maps: how much there is of what, wherever it lies.

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
GROUPS = 8
GAIN = 4.0
"""Volumes are in [0, 1] and mostly background, which is 0 and stays it: their spread is about a quarter."""
SPREAD = 5.0
"""Of codes about the template's, all numbers together, when a training begins."""
MOST_BLOCKS = 80_000
"""Cells of a component, at most, as far as halvings go: of 80 x 96 x 80 voxels, blocks of 2."""
SHARPENED = 2
"""Times that means over blocks are corrected: brains at 2 mm lose 3.2 points of RMSE uncorrected, then 2.8, 2.7, 2.7."""
MOST_COMPONENTS = 256
"""However long the code is: of 80,000 cells each they are 80 MB of the network."""
LEAST = 1e-5
"""Variance of a component beside the strongest one's, at least: what is less is rounding."""
CLASS_FEATURE_SCALE = 20.0
"""Codes' spread is about 5: class features outweigh it between classes, and within one leave the order to the other numbers."""
BEGIN = 0.1
"""Of the first weights of what stands beside components, or of a pooled network's last layer, which begins at the template."""


class CAE3D(nn.Module):
    """Convolutional autoencoder of volumes with a code of `code` numbers, or of `maps` small maps laid flat.

    >>> net = CAE3D((32, 48, 32), widths=(8, 16), code=10)
    >>> codes_BF = net.encode(torch.zeros(2, 1, 32, 48, 32))
    >>> tuple(codes_BF.shape), tuple(net.decode(codes_BF).shape)
    ((2, 10), (2, 1, 32, 48, 32))
    """

    def __init__(
        self,
        shape: Shape = (80, 96, 80),
        widths: tuple[int, ...] = (16, 32, 64, 128),
        code: int = 150,
        channels: int = 1,
        maps: int = 0,
        class_features: int = 0,
        source: torch.Generator | None = None,
    ) -> None:
        """`shape` z, y, x in voxels; `maps` over 0 makes the pooled network and leaves `code` aside; `class_features`: see
        `add_class_features`.

        `source` draws the first weights; without it they are those of seed 0. Raises SettingsError.
        """
        super().__init__()
        shape = (shape[0], shape[1], shape[2])
        self.bottom = halved(shape, len(widths))
        self._recipe = {"shape": list(shape), "widths": list(widths), "code": code, "channels": channels, "maps": maps}
        self._recipe["class_features"] = 0
        self.shape, self.channels, self.maps = shape, channels, maps
        self.template: Tensor
        self.checkpointing = False
        """Compute blocks again on the way back rather than keep them: slower, and a fraction of the memory."""
        self.mixed_precision = False
        """Convolutions in bfloat16: set here, not by an autocast around a training: that keeps its first copies of weights."""
        make = _pooled if maps else _strided
        self.encoder, self.decoder = make(channels, tuple(widths), maps)
        flat = (maps or widths[-1]) * prod(self.bottom)
        self.code = flat if maps else code
        self.register_buffer("template", torch.zeros(channels, *shape))
        self._block = _block(channels, shape, len(widths))
        self._blocks = (channels, *(side // self._block for side in shape))
        self.components_FG: Tensor
        self.unit: Tensor
        straight = 0 if maps else min(code, MOST_COMPONENTS)
        self.register_buffer("components_FG", torch.zeros(straight, prod(self._blocks)))
        self.register_buffer("unit", torch.ones(()))
        self.to_code: nn.Module = nn.Identity() if maps else nn.Linear(straight + 2 * sum(widths) + flat, code)
        self.from_code: nn.Module = nn.Identity() if maps else nn.Sequential(nn.Linear(code, flat), nn.ReLU())
        self.to_components = None if maps else nn.Linear(code, straight)
        self.class_features = 0
        self.to_class_features: nn.Linear | None = None
        initialise(self, source or generator(0, "cae3d"))
        with torch.no_grad():
            self.decoder[-1].weight.mul_(BEGIN if maps else 0.0)  # type: ignore[operator]
        if class_features:
            self.add_class_features(class_features)

    def add_class_features(self, classes: int) -> None:
        """The code's last `classes` numbers become `CLASS_FEATURE_SCALE` times the share of each class: a linear guess from the
        others.

        What is learned by distances lies on a slope between classes, however well it is ordered; clusters and neighbours
        go by the nearest, and class features set the two sides of the slope apart. A code of maps, or one too short
        for it, has none.
        """
        if self.maps or self.class_features or self.code < 3 * classes:
            return
        self.class_features = self._recipe["class_features"] = classes
        self.to_class_features = nn.Linear(self.code - classes, classes).to(self.template.device)
        nn.init.zeros_(self.to_class_features.weight)
        nn.init.zeros_(self.to_class_features.bias)
        if self.to_components is not None:
            self.to_components.weight.data[:, -classes:].zero_()

    def encode(self, volumes_BCZYX: Tensor) -> Tensor:
        """Codes (B, F) of float volumes in [0, 1]."""
        return self.with_class_features(self.to_code(self.features(volumes_BCZYX)))

    def with_class_features(self, codes_BF: Tensor) -> Tensor:
        """`codes_BF`, as `to_code` makes them, with class features in their last numbers."""
        if self.to_class_features is None:
            return codes_BF
        plain_BF = codes_BF[:, : -self.class_features]
        return torch.cat([plain_BF, CLASS_FEATURE_SCALE * self.to_class_features(plain_BF.detach()).softmax(1)], 1)

    def features(self, volumes_BCZYX: Tensor) -> Tensor:
        """What the code is made of by `to_code` (B, G): the last maps laid flat, and, strided, before these the components,
        and mean and maximum of each block's maps."""
        found, deep = [], volumes_BCZYX * GAIN
        if not self.maps:
            found.append(self.coarse(volumes_BCZYX) @ self.components_FG.T / self.unit)
        for block in self.encoder:
            deep = self._through(block, deep)
            if not self.maps:
                found += [deep.mean((2, 3, 4)), deep.amax((2, 3, 4))]
        return torch.cat([*found, deep.flatten(1)], 1)

    def coarse(self, volumes_BCZYX: Tensor) -> Tensor:
        """Means of the deviation from the template over blocks of a few voxels, laid flat (B, G): what components are of."""
        return F.avg_pool3d(volumes_BCZYX - self.template, self._block).flatten(1)

    def decode(self, codes_BF: Tensor) -> Tensor:
        """Volumes (B, C, Z, Y, X) of codes; about [0, 1], not clipped."""
        deep: Tensor = self.from_code(codes_BF).unflatten(1, (-1, *self.bottom))
        for block in self.decoder:
            deep = self._through(block, deep)
        again_BCZYX = deep / GAIN + self.template
        if self.to_components is None:
            return again_BCZYX
        coarse_BG = (self.unit * self.to_components(codes_BF)) @ self.components_FG
        return again_BCZYX + self._fine(coarse_BG.unflatten(1, self._blocks))

    def forward(self, volumes_BCZYX: Tensor) -> tuple[Tensor, Tensor]:
        """(reconstruction, codes)."""
        codes_BF = self.encode(volumes_BCZYX)
        return self.decode(codes_BF), codes_BF

    @torch.no_grad()
    def begin_as(self, coarse_NG: Tensor) -> None:
        """Begin as the principal components of `coarse` do: rows of what `coarse` makes of volumes, and of views of them.

        They are taken about the template, which is set before. The code's first numbers are the strongest components, in one
        unit, and reconstructions are theirs, but for what means over blocks leave out; class features come after. Numbers
        for which there are no components begin with what the blocks make of their first weights. Strided networks only.
        """
        if not isinstance(self.to_code, nn.Linear) or self.to_components is None:
            raise SettingsError("a code of maps has no components to begin with. Use a network without `maps`.")
        values, vectors = torch.linalg.eigh((coarse_NG @ coarse_NG.T).double())
        most = min(len(self.components_FG), self.code - self.class_features, len(values) - 1)
        order = values.argsort(descending=True)[:most]
        order = order[values[order] > LEAST * values.max()]
        count = len(order)
        if not count:
            return
        self.components_FG[:count] = (vectors[:, order] / values[order].sqrt()).T.to(coarse_NG.dtype) @ coarse_NG
        self.unit.fill_((values.sum() / len(values)).sqrt() / SPREAD)
        self.to_code.weight.mul_(BEGIN)
        for layer in (self.to_code, self.to_components):
            layer.bias.zero_()
            layer.weight[:count].zero_()
            layer.weight[:count, :count].fill_diagonal_(1.0)

    def _fine(self, means: Tensor) -> Tensor:
        """A smooth volume whose means over blocks are nearly `means`: interpolated ones alone are blurred once more."""
        if self._block == 1:
            return means
        wanted = means
        for _ in range(SHARPENED):
            fine = F.interpolate(means, self.shape, mode="trilinear")
            means = means + wanted - F.avg_pool3d(fine, self._block)
        return F.interpolate(means, self.shape, mode="trilinear")

    def recipe(self) -> dict[str, Any]:
        """What rebuilds this network, without its weights: `CAE3D(**recipe)`."""
        return dict(self._recipe)

    def _through(self, block: nn.Module, deep: Tensor) -> Tensor:
        again = self.checkpointing and torch.is_grad_enabled()
        with torch.autocast(deep.device.type, torch.bfloat16, enabled=self.mixed_precision):
            deep = checkpoint(block, deep, use_reentrant=False) if again else block(deep)
        return deep.float()


def halved(shape: Shape, times: int) -> Shape:
    """`shape` after `times` halvings. Raises SettingsError where a side cannot be halved evenly so often."""
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
    """Side of the blocks that components are of: the smallest power of 2 by which they are few enough, or all halvings."""
    cells = channels * prod(shape)
    return next((1 << n for n in range(halvings) if cells <= MOST_BLOCKS << 3 * n), 1 << halvings)


PRESETS: dict[str, dict[str, Any]] = {
    "onga": {"shape": (80, 96, 80), "widths": (16, 32, 64, 128), "code": 150},
    "arai": {"shape": (160, 192, 160), "widths": (16, 32, 64, 128, 128), "code": 150},
    **{
        f"yamaguchi-{blocks}x{maps}": {"shape": (80, 96, 80), "widths": (16, 32, 64, 64)[:blocks], "maps": maps}
        for blocks in (1, 2, 3, 4)
        for maps in (1, 4, 16, 32)
    },
}
"""Arguments of `CAE3D` by name; `yamaguchi-3x16` has three blocks and a code of sixteen maps. The shape may be another."""


def preset(name: str, **changes: Any) -> CAE3D:
    """The network of a preset, some arguments of it changed: `preset("onga", shape=(64, 64, 64))`."""
    if name not in PRESETS:
        raise SettingsError(f"there is no network '{name}'. Use one of {', '.join(PRESETS)}.")
    return CAE3D(**{**PRESETS[name], **changes})


def _strided(channels: int, widths: tuple[int, ...], _maps: int) -> tuple[nn.Sequential, nn.Sequential]:
    down = [
        nn.Sequential(nn.Conv3d(before, after, 3, 2, 1, bias=False), *_norm(after))
        for before, after in pairwise((channels, *widths))
    ]
    up = [
        nn.Sequential(nn.ConvTranspose3d(before, after, 2, 2, bias=False), *_norm(after))
        for before, after in pairwise(widths[::-1])
    ]
    return nn.Sequential(*down), nn.Sequential(*up, nn.ConvTranspose3d(widths[0], channels, 2, 2))


def _pooled(channels: int, widths: tuple[int, ...], maps: int) -> tuple[nn.Sequential, nn.Sequential]:
    down = [
        nn.Sequential(*_conv(before, after), *_conv(after, after), nn.MaxPool3d(2))
        for before, after in pairwise((channels, *widths))
    ]
    up = [
        nn.Sequential(nn.Upsample(scale_factor=2), *_conv(before, after), *_conv(after, after))
        for before, after in pairwise((maps, *widths[::-1]))
    ]
    return (
        nn.Sequential(*down, nn.Conv3d(widths[-1], maps, 3, 1, 1)),
        nn.Sequential(*up, nn.Conv3d(widths[0], channels, 3, 1, 1)),
    )


def _conv(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv3d(before, after, 3, 1, 1, bias=False), *_norm(after)


def _norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(GROUPS if channels % GROUPS == 0 else 1, channels), nn.ReLU(inplace=True)

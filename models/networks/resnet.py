"""ResNet: an encoder of patches, with the names of torchvision's state dict, so that its published weights load unchanged.

```text
patch (3, 224, 224) -> conv1 7x7 stride 2, max pooling -> layer1 ... layer4, stride 2 from the second on -> mean over pixels
bottleneck:  1x1, 3x3 (the stride), 1x1 to four times the width;  + input, through a 1x1 convolution where shapes differ
```
He et al., CVPR 2016, with the stride in the 3x3 convolution as torchvision has it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .preparation import Preparation

EXPANSION = 4
RESNET50 = (3, 4, 6, 3)
"""Bottlenecks in each of the four layers of ResNet-50."""


class ResNet(nn.Module):
    """Mean over pixels of the last layer of float patches in [0, 1], (B, 32 × width): 2,048 for ResNet-50.

    >>> net = ResNet(blocks=(1, 1, 1, 1), width=4, preparation=Preparation(size=32)).eval()
    >>> tuple(net.encode(torch.zeros(2, 3, 64, 64)).shape)
    (2, 128)
    """

    axes = 2
    channels = 3

    def __init__(
        self, blocks: tuple[int, ...] = RESNET50, width: int = 64, preparation: Preparation | None = None
    ) -> None:
        super().__init__()
        self.preparation = preparation or Preparation()
        self.embedding_size = width * 8 * EXPANSION
        self._sizes: dict[str, Any] = {"blocks": list(blocks), "width": width}
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        layers, before = [], width
        for number, count in enumerate(blocks):
            inner, stride = width << number, 1 if number == 0 else 2
            layers.append(_layer(before, inner, count, stride))
            before = inner * EXPANSION
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def encode(self, patches_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of float patches in [0, 1], of any size."""
        embeddings_BF: Tensor = self(self.preparation(patches_BCYX))
        return embeddings_BF

    def forward(self, inputs_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of prepared input."""
        deep = self.pool(torch.relu(self.bn1(self.conv1(inputs_BCYX))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            deep = layer(deep)
        embeddings_BF: Tensor = deep.mean((2, 3))
        return embeddings_BF

    def recipe(self) -> dict[str, Any]:
        """What `encoder_of` rebuilds this network from, without its weights."""
        return {"architecture": "resnet", **self._sizes, **self.preparation.recipe()}


class _Bottleneck(nn.Module):
    def __init__(self, before: int, inner: int, stride: int) -> None:
        super().__init__()
        after = inner * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, inputs_BCYX: Tensor) -> Tensor:
        deep = torch.relu(self.bn1(self.conv1(inputs_BCYX)))
        deep = torch.relu(self.bn2(self.conv2(deep)))
        return torch.relu(self.bn3(self.conv3(deep)) + self.downsample(inputs_BCYX))


def _layer(before: int, inner: int, count: int, stride: int) -> nn.Sequential:
    later = [_Bottleneck(inner * EXPANSION, inner, 1) for _ in range(count - 1)]
    return nn.Sequential(_Bottleneck(before, inner, stride), *later)

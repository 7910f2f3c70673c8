"""VisionTransformer: an encoder of patches, with the names of timm's state dict, so that its published weights load unchanged.

```text
patch (3, 224, 224) -> 14 x 14 squares of 16² -> token each, one for the class in front -> + position -> N blocks -> norm
block:  x + ls1(attention(norm1(x)));  x + ls2(MLP(norm2(x)))                                      embedding: class token
```
Dosovitskiy et al., ICLR 2021; the scales `ls1` and `ls2` (Touvron et al., ICCV 2021) are those of DINOv2, and optional.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .preparation import Preparation

# B batch, T tokens, W width, C channel, Y X

NORM_EPSILON = 1e-6
MLP_RATIO = 4


class VisionTransformer(nn.Module):
    """Class token of float patches in [0, 1] after the last norm, (B, width).

    >>> net = VisionTransformer(width=8, depth=1, heads=2, patch_size=4, preparation=Preparation(size=8))
    >>> tuple(net.encode(torch.zeros(2, 3, 16, 16)).shape)
    (2, 8)
    """

    axes = 2
    channels = 3

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        patch_size: int = 16,
        layer_scale: bool = False,
        preparation: Preparation | None = None,
    ) -> None:
        super().__init__()
        self.preparation = preparation or Preparation()
        self.embedding_size, self.patch_size = width, patch_size
        self._sizes: dict[str, Any] = {"width": width, "depth": depth, "heads": heads, "layer_scale": layer_scale}
        squares = (self.preparation.size // patch_size) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + squares, width))
        self.patch_embed = _PatchEmbed(patch_size, width)
        self.blocks = nn.Sequential(*(_Block(width, heads, layer_scale) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)

    def encode(self, patches_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of float patches in [0, 1], of any size."""
        embeddings_BF: Tensor = self(self.preparation(patches_BCYX))
        return embeddings_BF

    def forward(self, inputs_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of prepared input."""
        squares_BTW = self.patch_embed(inputs_BCYX)
        tokens_BTW = torch.cat([self.cls_token.expand(len(squares_BTW), -1, -1), squares_BTW], 1) + self.pos_embed
        deep_BTW: Tensor = self.norm(self.blocks(tokens_BTW))
        return deep_BTW[:, 0]

    def recipe(self) -> dict[str, Any]:
        """What `encoder_of` rebuilds this network from, without its weights."""
        return {"architecture": "vit", "patch_size": self.patch_size, **self._sizes, **self.preparation.recipe()}


class _PatchEmbed(nn.Module):
    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_size, patch_size)

    def forward(self, inputs_BCYX: Tensor) -> Tensor:
        squares_BTW: Tensor = self.proj(inputs_BCYX).flatten(2).transpose(1, 2)
        return squares_BTW


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, layer_scale: bool) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=NORM_EPSILON), _Attention(width, heads)
        self.ls1 = _LayerScale(width) if layer_scale else nn.Identity()
        self.norm2, self.mlp = nn.LayerNorm(width, eps=NORM_EPSILON), _MLP(width)
        self.ls2 = _LayerScale(width) if layer_scale else nn.Identity()

    def forward(self, tokens_BTW: Tensor) -> Tensor:
        tokens_BTW = tokens_BTW + self.ls1(self.attn(self.norm1(tokens_BTW)))
        deeper: Tensor = tokens_BTW + self.ls2(self.mlp(self.norm2(tokens_BTW)))
        return deeper


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens_BTW: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens_BTW).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed: Tensor = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class _MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, MLP_RATIO * width), nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens_BTW: Tensor) -> Tensor:
        deep: Tensor = self.fc2(F.gelu(self.fc1(tokens_BTW)))
        return deep


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens_BTW: Tensor) -> Tensor:
        return tokens_BTW * self.gamma

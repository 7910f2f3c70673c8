"""NestedAutoencoder: an autoencoder for each of several sizes of patch around one centre; their codes are joined.

```text
patch (C, 128, 128) ------------> autoencoder of 128 -> (code - mean) / spread --.
      `- middle (C, 64, 64) ----> autoencoder of 64  -> (code - mean) / spread ---+-> embedding (256)
```
The autoencoders share no weights and no loss: each is trained as for patches of its size alone, but on the middles of the larger
patches, which decide how many samples and steps there are. Joined as they are, the code with the larger numbers would decide
all distances, so each is standardised first: by the mean of the training patches, and by one number, the root of the mean
variance of its features. One number and not one a feature: distances inside a code stay those that its autoencoder learned, and
a feature that hardly varies is not blown up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...errors import SettingsError
from .autoencoder import Array, Autoencoder

P = TypeVar("P", Array, Tensor)
LEAST_SPREAD = 1e-6
"""A code that does not vary is not divided by less."""


def middle(patches_BCYX: P, side: int) -> P:
    """The middle of patches, `side` pixels along y and x, as a view of them.

    >>> middle(torch.arange(36).view(1, 1, 6, 6), 2).tolist()
    [[[[14, 15], [20, 21]]]]
    """
    low = (patches_BCYX.shape[-1] - side) // 2
    return patches_BCYX[..., low : low + side, low : low + side]


class NestedAutoencoder(nn.Module):
    """Autoencoders of patches of several sizes, the smallest first, as one encoder of the largest patch.

    >>> net = NestedAutoencoder([Autoencoder(3, 32, embedding_size=4), Autoencoder(3, 64, embedding_size=4)])
    >>> tuple(net.encode(torch.zeros(2, 3, 64, 64)).shape)
    (2, 8)
    """

    axes = 2
    mean_F: Tensor  # noqa: N815
    spread_F: Tensor  # noqa: N815

    def __init__(self, autoencoders: Sequence[Autoencoder]) -> None:
        """The codes are joined as they are until `standardise` is called or trained buffers are loaded.

        Raises SettingsError for autoencoders that cannot see the middle of one patch.
        """
        super().__init__()
        sides = [one.patch for one in autoencoders]
        if (
            len(sides) < 2
            or sides != sorted(set(sides))
            or {(one.axes, one.channels) for one in autoencoders} != {(2, autoencoders[0].channels)}
        ):
            raise SettingsError(
                f"autoencoders of patches of {sides} pixels cannot be nested: they are two or more, of squares of the same "
                "channels, the smallest first."
            )
        self.autoencoders = nn.ModuleList(autoencoders)
        self.channels, self.patch = autoencoders[-1].channels, sides[-1]
        self.sizes = [one.embedding_size for one in autoencoders]
        self.embedding_size = sum(self.sizes)
        self.register_buffer("mean_F", torch.zeros(self.embedding_size))
        self.register_buffer("spread_F", torch.ones(self.embedding_size))

    @torch.no_grad()
    def standardise(self, codes: Sequence[Tensor]) -> None:
        """Take mean and spread from codes (N, F) of the training patches, one tensor for each autoencoder."""
        spreads = [code_NF.var(0, correction=0).mean().sqrt().clamp_min(LEAST_SPREAD) for code_NF in codes]
        self.mean_F.copy_(torch.cat([code_NF.mean(0) for code_NF in codes]))
        self.spread_F.copy_(torch.cat([s.expand(n) for s, n in zip(spreads, self.sizes, strict=True)]))

    def encode(self, patches_BCYX: Tensor) -> Tensor:
        """Embeddings (B, F) of float patches in [0, 1]."""
        codes = [one.encode(middle(patches_BCYX, one.patch)) for one in self._members()]
        embeddings_BF: Tensor = (torch.cat(codes, 1) - self.mean_F) / self.spread_F
        return embeddings_BF

    def reconstruction_error(self, embeddings_BF: Tensor, patches_BCYX: Tensor) -> Tensor:
        """As that of an autoencoder: the mean over the sizes."""
        codes = torch.split(embeddings_BF * self.spread_F + self.mean_F, self.sizes, 1)
        errors = [
            one.reconstruction_error(code_BF, middle(patches_BCYX, one.patch))
            for one, code_BF in zip(self._members(), codes, strict=True)
        ]
        return torch.stack(errors).mean()

    def recipe(self) -> dict[str, Any]:
        """Arguments that rebuild this network, without its weights: `nested_of(recipe)`."""
        return {"nested": [one.recipe() for one in self._members()]}

    def _members(self) -> list[Autoencoder]:
        return [one for one in self.autoencoders if isinstance(one, Autoencoder)]


def nested_of(recipe: Mapping[str, Any]) -> NestedAutoencoder:
    """The network of a recipe with initial weights."""
    return NestedAutoencoder([Autoencoder(**one) for one in recipe["nested"]])

"""FilmNetwork: what the classifiers of films share: grey films in, blocks that are unfrozen one by one, maps, a head.

```text
films (B, 1, Y, X) in [0, 1] -> prepare -> blocks, the first to the last -> maps -> pooled -> head -> logits (B, K)
```
`maps`, `inside` and `logits_of_maps` are what Grad-CAM reads; `blocks` and `head` are what a transfer trains in stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import SettingsError
from ..seeds import initialise


class FilmNetwork(nn.Module):
    """A network of films: subclasses set `recipe`, `classes`, `head` and say what their blocks and pooling are."""

    axes = 2
    recipe: dict[str, Any]
    """JSON values that `film_network_of` makes the same network of, with new weights."""
    classes: int
    side: int
    """Pixels along a side of the films it is made for."""
    head: nn.Module
    """Layers behind the pooled maps: (B, G) -> logits (B, K)."""

    def draw_weights(self, source: torch.Generator) -> None:
        """Draw all weights; those of convolutions lie in memory as the films do, which is faster on a CPU."""
        initialise(self, source)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)

    def blocks(self) -> Mapping[str, nn.Module]:
        """The groups of layers that are unfrozen together, by name, the one beside the films first."""
        raise NotImplementedError

    def prepare(self, films_BCYX: Tensor) -> Tensor:
        """Films in [0, 1] as the first block reads them."""
        raise NotImplementedError

    def pooled(self, maps_BFYX: Tensor) -> Tensor:
        """What the head sees of the last maps (B, G)."""
        raise NotImplementedError

    def maps(self, films_BCYX: Tensor) -> Tensor:
        """The last block's maps (B, F, cells y, cells x)."""
        self.check_films(films_BCYX)
        deep = self.prepare(films_BCYX).contiguous(memory_format=torch.channels_last)  # several times as fast on a CPU
        for block in self.blocks().values():
            deep = block(deep)
        return deep

    def inside(self, films_BCYX: Tensor, cells: torch.Size) -> Tensor | None:
        """None: all of a film counts."""
        return None

    def logits_of_maps(self, maps_BFYX: Tensor, inside_B1YX: Tensor | None = None) -> Tensor:
        """Logits (B, K) of the last block's maps."""
        return torch.as_tensor(self.head(self.pooled(maps_BFYX)))

    def forward(self, films_BCYX: Tensor) -> Tensor:
        """Logits (B, K) of films (B, 1, Y, X) in [0, 1]."""
        return self.logits_of_maps(self.maps(films_BCYX))

    def check_films(self, films_BCYX: Tensor) -> None:
        """Raises SettingsError for films that are not grey, or not of the side that the network is made for."""
        if tuple(films_BCYX.shape[1:]) != (1, self.side, self.side):
            raise SettingsError(
                f"films of (channels, y, x) = {tuple(films_BCYX.shape[1:])} were given to a network of films of "
                f"{(1, self.side, self.side)}: its layers fit that size alone. Prepare the films at side {self.side}, or "
                "make a network of theirs."
            )


def check_sizes(name: str, classes: int, side: int, least: int) -> None:
    """Raises SettingsError for less than two classes, or films whose side leaves no cell of the last maps."""
    if classes < 2 or side < least:
        raise SettingsError(
            f"a {name} of {classes} classes of films with a side of {side} pixels cannot be made: it needs two classes and "
            f"{least} pixels."
        )

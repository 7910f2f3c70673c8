"""self_supervised: embeddings of films by the autoencoder that clusters tiles, trained on the films themselves; no labels.

`Reconstruction` (reconstruction and agreement of two views) trains it; `nearest.Reference` scores its embeddings. The network
takes sides that divide by 16: films are resized on the way in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from ..batches import Patches
from ..networks.autoencoder import PATCH_MULTIPLE, SMALLEST_PATCH, Autoencoder, to_float
from ..replica import SINGLE, Replica
from ..seeds import generator
from ..training.encoding import encode_views
from ..training.reconstruction import Reconstruction
from ..views.patches import Views

Array = npt.NDArray[Any]
FILM_VIEWS = Views(brightfield=False, edge=0.0)
"""How two views of a film differ: cut-outs and brightness; a film has no stain, and no edge of tissue."""
BATCH = 48


class Resized:
    """Films at another side, resized as they are read: (B, C, side, side) float32 in [0, 1].

    >>> films = Resized(np.full((3, 1, 100, 100), 51, np.uint8), 96)
    >>> len(films), films[np.array([0, 2])].shape, round(float(films[np.array([1])].mean()), 3)
    (3, (2, 1, 96, 96), 0.2)
    """

    def __init__(self, films: Patches, side: int) -> None:
        self._films, self._side = films, side

    def __len__(self) -> int:
        return len(self._films)

    def __getitem__(self, index: Array, /) -> Array:
        films_BCYX = to_float(self._films[index])
        if films_BCYX.shape[-1] == self._side:
            return np.asarray(films_BCYX.numpy())
        size = (self._side, self._side)
        smaller = F.interpolate(films_BCYX, size=size, mode="bilinear", align_corners=False, antialias=True)
        return np.asarray(smaller.numpy())


def film_autoencoder(side: int, channels: int = 1, seed: int = 0) -> Autoencoder:
    """A new network for films of this side, at the nearest side that it can take.

    >>> film_autoencoder(100).patch
    96
    """
    multiple = PATCH_MULTIPLE[2]
    patch = max(SMALLEST_PATCH[2], round(side / multiple) * multiple)
    return Autoencoder(channels, patch, pooled=True, source=generator(seed, "film autoencoder"))


def film_reconstruction(
    network: Autoencoder, films: Patches, steps: int, *, seed: int = 0, replica: Replica = SINGLE
) -> Reconstruction:
    """The phase that trains it on films (n, C, S, S) of any side."""
    resized = Resized(films, network.patch)
    return Reconstruction(network, resized, steps, BATCH, seed, FILM_VIEWS, replica)


@torch.inference_mode()
def film_embeddings(network: Autoencoder, films: Patches) -> Array:
    """Embeddings (n, F), float32, of unchanged films; each depends on its film alone."""
    return np.asarray(encode_views(network, Resized(films, network.patch), views=1, batch=BATCH)[0].numpy())

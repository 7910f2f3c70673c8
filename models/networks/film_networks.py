"""film_networks: the classifiers of films by name, and the network that a recipe describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...errors import SettingsError
from .film_network import FilmNetwork
from .film_resnet import FilmResNet
from .mnist_cnn import MnistCNN
from .vgg16 import VGG16

FILM_NETWORKS: Mapping[str, type[FilmNetwork]] = {
    "film_resnet": FilmResNet,
    "mnist_cnn": MnistCNN,
    "vgg16": VGG16,
}
"""Name -> class; the first is the default."""


def film_network(
    name: str, classes: int, side: int, *, source: torch.Generator | None = None, **sizes: Any
) -> FilmNetwork:
    """The network of a name for grey films of `side` pixels, with new weights. Raises SettingsError for an unknown name.

    >>> film_network("mnist_cnn", 2, 20).recipe
    {'architecture': 'mnist_cnn', 'classes': 2, 'side': 20}
    """
    if name not in FILM_NETWORKS:
        raise SettingsError(f"there is no network of films '{name}'. Use one of {', '.join(FILM_NETWORKS)}.")
    build: Any = FILM_NETWORKS[name]
    network: FilmNetwork = build(classes=classes, side=side, source=source, **sizes)
    return network


def film_network_of(recipe: Mapping[str, Any]) -> FilmNetwork:
    """The network that a recipe describes, with new weights."""
    sizes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in recipe.items()}
    return film_network(sizes.pop("architecture"), sizes.pop("classes"), sizes.pop("side"), **sizes)

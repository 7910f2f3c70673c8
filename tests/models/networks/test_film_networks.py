"""Networks of films: published layer lists, names of published weights, recipes, and films that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tile_engine.errors import SettingsError
from tile_engine.models.networks.film_network import FilmNetwork
from tile_engine.models.networks.film_networks import FILM_NETWORKS, film_network, film_network_of
from tile_engine.models.networks.film_resnet import FilmResNet
from tile_engine.models.networks.mnist_cnn import MnistCNN
from tile_engine.models.networks.vgg16 import VGG16
from tile_engine.models.training.checkpoint import load_checkpoint, load_weights, save_checkpoint

SIZES = {"film_resnet": (32, {"widths": (4, 4, 6, 8)}), "mnist_cnn": (16, {}), "vgg16": (32, {"inner": 8})}


def small(name: str) -> FilmNetwork:
    side, sizes = SIZES[name]
    return film_network(name, 3, side, **sizes).eval()


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_a_recipe_gives_the_network_again(name: str) -> None:
    network = small(name)
    again = film_network_of(network.recipe).eval()
    films = torch.rand(2, 1, network.side, network.side)
    assert torch.equal(network(films), again(films)) and network(films).shape == (2, 3)


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_a_checkpoint_gives_the_same_bits(tmp_path: Path, name: str) -> None:
    network = small(name)
    save_checkpoint(tmp_path / "n.safetensors", network.state_dict(), network.recipe, Path.write_bytes)
    tensors, recipe = load_checkpoint(tmp_path / "n.safetensors")
    again = film_network_of(recipe).eval()
    load_weights(again, tensors)
    films = torch.rand(3, 1, network.side, network.side)
    assert torch.equal(network(films), again(films))


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_blocks_and_head_hold_every_weight_once(name: str) -> None:
    network = small(name)
    parts = [id(p) for module in (*network.blocks().values(), network.head) for p in module.parameters()]
    assert sorted(parts) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_the_class_of_a_film_does_not_depend_on_its_batch(name: str) -> None:
    network = small(name)
    films = torch.rand(3, 1, network.side, network.side)
    assert torch.allclose(network(films)[1], network(films[1:2])[0], atol=1e-5)


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_films_of_another_size_or_coloured_ones_are_refused(name: str) -> None:
    network = small(name)
    with pytest.raises(SettingsError, match="fit that size alone"):
        network(torch.rand(1, 1, network.side + 1, network.side))
    with pytest.raises(SettingsError, match="fit that size alone"):
        network(torch.rand(1, 3, network.side, network.side))
    with pytest.raises(SettingsError, match="cannot be made"):
        film_network(name, 1, network.side)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(SettingsError, match="film_resnet, mnist_cnn, vgg16"):
        film_network("alexnet", 2, 64)


def test_the_blocks_of_vgg16_have_the_published_sizes() -> None:
    """Weights of the thirteen convolutions as torchvision numbers them: 14,714,688 in all."""
    network = VGG16(side=32)
    counts = {name: sum(p.numel() for p in block.parameters()) for name, block in network.blocks().items()}
    assert counts == {"B1": 38_720, "B2": 221_440, "B3": 1_475_328, "B4": 5_899_776, "B5": 7_079_424}
    names = [key for key in network.state_dict() if key.startswith("features.") and key.endswith("weight")]
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert names == [f"features.{number}.weight" for number in numbers] and len(network.features) == 31


def test_grey_films_reach_vgg16_as_imagenet_s_colours_do() -> None:
    prepared = VGG16(side=32).prepare(torch.full((1, 1, 32, 32), 0.5))
    expected = (torch.full((3,), 0.5) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(prepared[0, :, 0, 0], expected) and prepared.shape == (1, 3, 32, 32)


def test_the_network_of_100_pixels_has_the_sizes_of_keras_s_example() -> None:
    """Two 3 x 3 convolutions without padding, pooled: 48 x 48 cells of 32 maps go into 128 numbers."""
    network = MnistCNN(classes=2, side=100)
    linear = [layer for layer in network.head if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(32 * 48 * 48, 128), (128, 2)]
    assert [layer.p for layer in network.head if isinstance(layer, nn.Dropout)] == [0.25, 0.5]


def test_the_residual_network_does_not_see_brightness_and_contrast() -> None:
    network, films = small("film_resnet"), torch.rand(2, 1, 32, 32)
    assert torch.allclose(network(films), network(films * 0.4 + 0.3), atol=1e-4)
    assert torch.isfinite(FilmResNet(side=32)(torch.zeros(2, 1, 32, 32))).all()

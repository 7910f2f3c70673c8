"""Encoders that were trained elsewhere: their names, their shapes, and what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tile_engine.errors import SettingsError
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.encoders import encoder_of, is_frozen
from tile_engine.models.networks.preparation import Preparation
from tile_engine.models.networks.resnet import ResNet
from tile_engine.models.networks.vit import VisionTransformer

PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("recipe", "entries", "parameters", "size"),
    [
        # published: 22,050,664 and 86,567,656 parameters with a classifier of 1,000 classes, which has 1,000 · (width + 1)
        ({"architecture": "vit_small"}, 150, 22_050_664 - 385_000, 384),
        ({"architecture": "vit_base"}, 150, 86_567_656 - 769_000, 768),
        # DINOv2's small one has a mask token besides, 384 numbers that only its training used
        ({"architecture": "vit_small", "patch_size": 14, "input_size": 518, "layer_scale": True}, 174, 22_056_192, 384),
        # published: 25,557,032 with a classifier of 1,000 · 2,049
        ({"architecture": "resnet50"}, 318, 25_557_032 - 2_049_000, 2048),
    ],
)
def test_sizes_are_the_published_ones(recipe: dict[str, Any], entries: int, parameters: int, size: int) -> None:
    with torch.device("meta"):
        network = encoder_of(recipe)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert (network.embedding_size, network.channels, network.axes) == (size, 3, 2)
    assert is_frozen(network) and not is_frozen(Autoencoder(patch=32, widths=(8,)))


def test_names_of_a_vision_transformer_are_those_of_timm() -> None:
    network = VisionTransformer(8, depth=2, heads=2, patch_size=4, layer_scale=True, preparation=Preparation(size=8))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    block = {
        "norm1.weight": (8,),
        "norm1.bias": (8,),
        "attn.qkv.weight": (24, 8),
        "attn.qkv.bias": (24,),
        "attn.proj.weight": (8, 8),
        "attn.proj.bias": (8,),
        "ls1.gamma": (8,),
        "norm2.weight": (8,),
        "norm2.bias": (8,),
        "mlp.fc1.weight": (32, 8),
        "mlp.fc1.bias": (32,),
        "mlp.fc2.weight": (8, 32),
        "mlp.fc2.bias": (8,),
        "ls2.gamma": (8,),
    }
    outside = {
        "cls_token": (1, 1, 8),
        "pos_embed": (1, 5, 8),
        "patch_embed.proj.weight": (8, 3, 4, 4),
        "patch_embed.proj.bias": (8,),
        "norm.weight": (8,),
        "norm.bias": (8,),
    }
    assert shapes == {**outside, **{f"blocks.{n}.{k}": v for n in (0, 1) for k, v in block.items()}}


def test_names_of_a_resnet_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        names = set(encoder_of({"architecture": "resnet50"}).state_dict())
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    wanted = {"conv1.weight", *(f"bn1.{n}" for n in norm)}
    for layer, count in enumerate((3, 4, 6, 3), 1):
        for block in range(count):
            for number in (1, 2, 3):
                wanted |= {f"layer{layer}.{block}.conv{number}.weight"}
                wanted |= {f"layer{layer}.{block}.bn{number}.{n}" for n in norm}
        wanted |= {f"layer{layer}.0.downsample.0.weight", *(f"layer{layer}.0.downsample.1.{n}" for n in norm)}
    assert names == wanted


def test_a_vision_transformer_whose_blocks_add_nothing_gives_the_normed_class_token() -> None:
    network = VisionTransformer(4, depth=2, heads=2, patch_size=2, preparation=Preparation(4, *PLAIN)).eval()
    for name, tensor in network.state_dict().items():
        if name.startswith("blocks") and "norm" not in name:
            tensor.zero_()
    network.cls_token.data[:] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    network.pos_embed.data[0, 0] = torch.tensor([0.0, 0.0, 0.0, 2.0])
    # 1 2 3 6: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5
    by_hand = (torch.tensor([1.0, 2.0, 3.0, 6.0]) - 3.0) / 3.5**0.5
    torch.testing.assert_close(network.encode(torch.rand(1, 3, 4, 4))[0], by_hand, atol=1e-5, rtol=1e-5)


def test_squares_are_read_in_rows_and_attention_is_that_of_torch() -> None:
    network = VisionTransformer(8, depth=1, heads=2, patch_size=2, preparation=Preparation(4, *PLAIN)).eval()
    patch = torch.arange(48.0).reshape(1, 3, 4, 4) / 48
    squares = network.patch_embed(patch)
    right = F.conv2d(patch[:, :, :2, 2:], network.patch_embed.proj.weight, network.patch_embed.proj.bias)
    torch.testing.assert_close(squares[:, 1], right.flatten(1))
    attention, oracle = network.blocks[0].attn, torch.nn.MultiheadAttention(8, 2, batch_first=True)
    oracle.in_proj_weight.data.copy_(attention.qkv.weight)
    oracle.in_proj_bias.data.copy_(attention.qkv.bias)
    oracle.out_proj.load_state_dict(attention.proj.state_dict())
    tokens = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attention(tokens), oracle(tokens, tokens, tokens, need_weights=False)[0])


def test_a_bottleneck_without_its_last_convolution_passes_its_input_on() -> None:
    network = ResNet(blocks=(2, 1, 1, 1), width=2, preparation=Preparation(32, *PLAIN)).eval()
    block = network.layer1[1]
    block.conv3.weight.data.zero_()
    inputs = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(inputs), inputs.relu())
    first = network.layer2[0]
    assert first.conv2.stride == (2, 2) and first.conv1.stride == (1, 1) and first.downsample[0].stride == (2, 2)
    assert network.layer1[0].conv2.stride == (1, 1)


def test_one_patch_does_not_change_the_embedding_of_another() -> None:
    network = ResNet(blocks=(1, 1, 1, 1), width=2, preparation=Preparation(32)).eval()
    patches = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.encode(patches)[:1], network.encode(patches[:1]))


def test_patches_of_another_size_are_resized_with_antialiasing() -> None:
    fine = torch.zeros(1, 3, 64, 64)
    fine[..., ::2] = 1.0  # stripes of one pixel: grey at a quarter of the size, not stripes
    small = Preparation(16, *PLAIN)(fine)
    assert small.shape == (1, 3, 16, 16)
    assert (small[..., 2:-2] - 0.5).abs().max() < 0.01
    same = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(Preparation(16, *PLAIN)(same), same)


@pytest.mark.parametrize("recipe", [{"architecture": "vit_tiny"}, {"architecture": "resnet50", "input_size": 96}])
def test_a_recipe_rebuilds_the_network_that_states_it(recipe: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = encoder_of(recipe)
        again = encoder_of(network.recipe())
    assert network.recipe() == again.recipe()
    assert {n: t.shape for n, t in network.state_dict().items()} == {n: t.shape for n, t in again.state_dict().items()}
    own = Autoencoder(patch=32, widths=(8,), embedding_size=8)
    assert encoder_of(own.recipe()).recipe() == own.recipe()


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ({"architecture": "swin_base"}, "architecture 'swin_base'"),
        ({"architecture": "vit_small", "windows": 7}, "does not know windows"),
        ({"architecture": "vit"}, "lacks depth, heads, width"),
        ({"architecture": "vit_small", "input_size": 225}, "225 pixels does not divide into squares of 16"),
        ({"architecture": "resnet50", "mean": [0.5]}, "mean needs three numbers"),
        ({"architecture": "resnet50", "std": [0.1, 0.0, 0.1]}, "standard deviation is 0"),
    ],
)
def test_a_recipe_that_fits_no_network_is_refused(recipe: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        encoder_of(recipe)
    assert caught.value.code == "E_ENCODER"

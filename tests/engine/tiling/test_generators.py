"""A generator applied tile by tile gives the whole image's values, for any tile and number of axes; else tiles are blended."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tile_engine.engine.compute.image_network import ImageNetwork
from tile_engine.engine.tiling.blend import blend, padded
from tile_engine.engine.tiling.execute import run
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.plan import Numerics, Plan
from tile_engine.engine.tiling.samplers import grid
from tile_engine.models.networks.generators import ResNetGenerator, UNetGenerator
from tile_engine.models.networks.sharpener import Sharpener
from tile_engine.stores.frame import Array, Box
from tile_engine.stores.memory import MemoryLayer, MemorySource


def trained(network: nn.Module) -> Any:
    """Random weights of moderate size, and statistics as of training."""
    source = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("deviation"):
                tensor.copy_(torch.rand(tensor.shape, generator=source) + 0.5)
            elif tensor.ndim:
                tensor.add_(0.05 * torch.randn(tensor.shape, generator=source))
        network.last.weight.data.mul_(0.005)  # far from where tanh saturates, and rounding shows
    return network.eval().requires_grad_(False)


def image(shape: tuple[int, ...]) -> MemorySource:
    return MemorySource(np.random.default_rng(0).random((1, *shape)).astype(np.float32), background=0)


def whole(network: Any, source: MemorySource) -> Array:
    """The network on the image in one piece, background around it."""
    halo = network.field.halo
    box = Box(
        tuple(-halo for _ in source.frames[0].shape), tuple(-(-n // 16) * 16 + halo for n in source.frames[0].shape)
    )
    with torch.no_grad():
        values = network(torch.from_numpy(padded(source, box))[None])[0].numpy()
    return np.asarray(values[(slice(None), *[slice(halo, halo + n) for n in source.frames[0].shape])])


def plan(network: Any, source: MemorySource, tile: int, unit: int, halo: int) -> tuple[Plan, MemoryLayer]:
    axes = len(source.frames[0].shape)
    layer = MemoryLayer(source.frames[0], chunks=(unit,) * axes, channels=1, dtype="float32")
    model = ImageNetwork(network, axes, halo, "version", 1)
    tiles = partial(_tiles, tile=tile, halo=halo)
    return Plan(source, tiles, model, {"version": layer}, (unit,) * axes, numerics=Numerics(batch=1)), layer


def _tiles(box: Box, tile: int, halo: int) -> Any:
    return grid(box, (tile,) * len(box.shape), (halo,) * len(box.shape))


@pytest.mark.parametrize("tile", [16, 32, 64])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (UNetGenerator(axes=2, width=2), (70, 90)),
        (ResNetGenerator(axes=2, width=2, blocks=2), (70, 90)),
        (ResNetGenerator(axes=3, width=2, blocks=1), (20, 40, 33)),
        (Sharpener(axes=3, width=4, smooths=(0.0, 0.6, 0.0)), (40, 50, 33)),
    ],
    ids=["unet-2d", "resnet-2d", "resnet-3d", "sharpener-3d"],
)
def test_tiles_give_the_values_of_the_whole_image(network: nn.Module, shape: tuple[int, ...], tile: int) -> None:
    source, net = image(shape), trained(network)
    one, layer = plan(net, source, tile, 64, net.field.halo)
    run(one)
    assert np.abs(layer.values - whole(net, source)).max() <= 1e-5


def test_a_halo_below_the_reach_is_seen_and_blending_hides_it_and_says_how_much() -> None:
    net, source = trained(UNetGenerator(axes=2, width=2)), image((96, 96))
    cut, layer = plan(net, source, 32, 96, 0)
    run(cut)
    truth = whole(net, source)
    assert np.abs(layer.values - truth).max() > 1e-3  # seams
    blended, result = plan(net, source, 32, 96, 16)
    mask = Mask(np.ones((6, 6), bool), (16, 16), (96, 96))
    outcome = blend(
        blended, Box((0, 0), (96, 96)), tile=32, mask=mask, compute=ImageNetwork(net, 2, 0, "version", 1).of
    )
    assert np.abs(result.values - truth).mean() < np.abs(layer.values - truth).mean()
    mean, largest = outcome.facts["disagreement"]
    assert 0 < mean < largest


def test_blending_does_not_depend_on_units() -> None:
    net, source = trained(ResNetGenerator(axes=2, width=2, blocks=1)), image((64, 64))
    mask = Mask(np.ones((4, 4), bool), (16, 16), (64, 64))
    compute = ImageNetwork(net, 2, 0, "version", 1).of
    together, whole_layer = plan(net, source, 16, 64, 8)
    blend(together, Box((0, 0), (64, 64)), tile=16, mask=mask, compute=compute)
    apart, layer = plan(net, source, 16, 32, 8)
    for box in apart.units():
        blend(apart, box, tile=16, mask=mask, compute=compute)
    assert np.allclose(layer.values, whole_layer.values, atol=1e-6)

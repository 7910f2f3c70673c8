"""A generator applied tile by tile gives the whole image's values, for any tile and number of axes; else tiles are blended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tile_engine.engine.compute.image_network import ImageNetwork
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.stitch import Stitch, cells_of, stitch
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
    """The network on the image in one piece, its ends rounded up to the stride."""
    shape, step = source.frames[0].shape, network.field.stride
    pixels, _ = cells_of(source, Box((0,) * len(shape), tuple(-(-n // step) * step for n in shape)))
    with torch.no_grad():
        values = network(torch.from_numpy(pixels)[None])[0].numpy()
    return np.asarray(values[(slice(None), *map(slice, shape))])


def stitched(network: Any, source: MemorySource, tile: int, unit: int, halo: int) -> tuple[Array, dict[str, Any]]:
    """The image harmonized unit by unit, and the facts of the last unit."""
    shape = source.frames[0].shape
    layer = MemoryLayer(source.frames[0], chunks=(unit,) * len(shape), channels=1, dtype="float32")
    mask = Mask(np.ones((4,) * len(shape), bool), [n / 4 for n in shape], shape)
    model = ImageNetwork(network, 1, halo, network.field.stride)
    work = Stitch(source, model, layer, mask, tile, exact=halo >= network.field.reach)
    for box in source.frames[0].box.cut((unit,) * len(shape)):
        facts = stitch(work, box).facts
    return layer.values, facts


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
    values, _ = stitched(net, source, tile, 64, net.field.halo)
    assert np.abs(values - whole(net, source)).max() <= 1e-5


def test_below_the_reach_tiles_are_blended_and_say_how_far_they_disagree() -> None:
    net, source = trained(UNetGenerator(axes=2, width=2)), image((96, 96))
    values, facts = stitched(net, source, 32, 96, 16)
    mean, largest = facts["disagreement"]
    assert 0 < mean < largest
    truth = whole(net, source)
    assert 0 < np.abs(values - truth).mean() < 5 * largest


def test_blending_does_not_depend_on_units() -> None:
    net, source = trained(ResNetGenerator(axes=2, width=2, blocks=1)), image((64, 64))
    together, apart = (stitched(net, source, 16, unit, 8)[0] for unit in (64, 32))
    assert np.allclose(apart, together, atol=1e-6)


def test_cells_of_tiles_outside_of_the_mask_are_zero_and_what_cannot_be_decoded_is_counted() -> None:
    net = trained(Sharpener(axes=2))
    source = MemorySource(np.ones((1, 64, 64), np.float32), background=0, broken=(Box((0, 0), (8, 8)),))
    layer = MemoryLayer(source.frames[0], chunks=(64, 64), channels=1, dtype="float32")
    half = np.zeros((4, 4), bool)
    half[:2] = True
    outcome = stitch(
        Stitch(source, ImageNetwork(net, 1, 5), layer, Mask(half, (16, 16), (64, 64)), 16, True), Box((0, 0), (64, 64))
    )
    assert outcome.facts["unreadable"] == 1 and outcome.facts["tiles"] == 8
    assert layer.values[0, :32].any(1).all() and not layer.values[0, 32:].any()

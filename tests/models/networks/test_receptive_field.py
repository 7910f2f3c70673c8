"""The computed receptive field is the true one: a change of one cell reaches as far as was computed, and no further."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tile_engine.models.networks.generators import ResNetGenerator, ThreePlanes, UNetGenerator
from tile_engine.models.networks.sharpener import Sharpener


def random(network: nn.Module) -> nn.Module:
    """All weights positive, so that no change cancels, and averages, so that tanh does not saturate; no plain statistics."""
    source = torch.Generator().manual_seed(1)
    for tensor in network.state_dict().values():
        if tensor.ndim:
            tensor.copy_(torch.rand(tensor.shape, generator=source) + 0.5)
        if tensor.ndim > 1:
            tensor.div_(tensor[0].numel())
    return network.eval().double()


def changed(network: nn.Module, size: int, cell: int) -> list[int]:
    """Cells along the first axis of the output that change when input cells at `cell` along it do."""
    x: Tensor = torch.zeros(1, 1, size, 16, dtype=torch.float64)
    with torch.no_grad():
        before = network(x)
        x[:, :, cell] = 1.0
        after = network(x)
    return [int(i) for i in (after != before).any(3).flatten().nonzero().flatten()]


@pytest.mark.parametrize(
    "network",
    [UNetGenerator(axes=2, width=2), ResNetGenerator(axes=2, width=2, blocks=2), Sharpener(axes=2, smooths=(1.0, 0.0))],
    ids=["unet", "resnet", "sharpener"],
)
def test_the_farthest_cell_that_changes_lies_at_the_reach(network: nn.Module) -> None:
    field = random(network).field  # type: ignore[operator]
    size = (2 * field.reach // 16 + 4) * 16
    farthest = 0
    for cell in range(size // 2, size // 2 + field.stride):
        cells = changed(network, size, cell)
        assert cells, "a change shows"
        farthest = max(farthest, cell - min(cells), max(cells) - cell)
    assert farthest == field.reach
    assert field.halo >= field.reach and field.halo % field.stride == 0


def test_published_sizes() -> None:
    assert (UNetGenerator(width=2).field.size, UNetGenerator(width=2).field.reach) == (172, 91)  # IGUANe
    assert (ResNetGenerator(width=2).field.size, ResNetGenerator(width=2).field.reach) == (169, 84)  # CycleGAN


def test_slices_are_seen_along_every_axis_and_averaged() -> None:
    slices = ResNetGenerator(axes=2, width=2, blocks=1).eval()
    volume = torch.rand(1, 1, 8, 12, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = ThreePlanes(slices)(volume)
        along_z = torch.stack([slices(volume[:, :, z]) for z in range(8)], 2)
        along_y = torch.stack([slices(volume[:, :, :, y]) for y in range(12)], 3)
        along_x = torch.stack([slices(volume[..., x]) for x in range(16)], 4)
    assert torch.allclose(together, (along_z + along_y + along_x) / 3, atol=1e-6)
    assert ThreePlanes(slices).field == slices.field

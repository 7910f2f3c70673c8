"""The encoder in bf16 on a CPU: near float32, of each patch alone, and the same from stored bytes, other types and floats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tile_engine.models.networks import autoencoder
from tile_engine.models.networks.autoencoder import Autoencoder, to_float
from tile_engine.models.networks.bf16 import _normalised, maps_in_bf16
from tile_engine.models.networks.interleaved import interleaved
from tile_engine.models.networks.nested import NestedAutoencoder


def stored(net: Autoencoder | NestedAutoencoder, count: int, dtype: type = np.uint8) -> torch.Tensor:
    rng = np.random.default_rng(0)
    shape = (count, net.channels, net.patch, net.patch)
    return torch.from_numpy(rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype))


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.float() - other.float()).norm() / other.float().norm())


def encoded(net: Autoencoder | NestedAutoencoder, patches: torch.Tensor, bf16: bool = True) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return net.encode(patches)


@pytest.mark.parametrize(("channels", "patch", "pooled"), [(3, 96, False), (1, 32, False), (6, 48, True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_embeddings_in_bf16_come_near_those_in_float32(channels: int, patch: int, pooled: bool, dtype: type) -> None:
    net = Autoencoder(channels, patch, widths=(8, 16, 32), embedding_size=16, pooled=pooled).eval()
    patches = stored(net, 5, dtype)
    exact = encoded(net, patches, bf16=False)
    assert torch.equal(exact, encoded(net, to_float(patches), bf16=False)), (
        "stored patches and their floats, in float32"
    )
    fast = encoded(net, patches)
    assert fast.dtype == torch.bfloat16 and distance(fast, exact) < 0.01
    assert distance(encoded(net, to_float(patches)), exact) < 0.01


def test_several_sizes_of_patch_are_encoded_in_bf16_too() -> None:
    net = NestedAutoencoder([Autoencoder(3, side, widths=(8, 16), embedding_size=8) for side in (32, 64)]).eval()
    patches = stored(net, 3)
    assert distance(encoded(net, patches), encoded(net, patches, bf16=False)) < 0.01


@pytest.mark.parametrize("bf16", [False, True])
def test_an_embedding_does_not_depend_on_the_patches_computed_with_it(
    bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Autoencoder(3, 32, widths=(8, 16), embedding_size=8).eval()
    patches = stored(net, 12)
    whole = encoded(net, patches, bf16)
    assert torch.equal(encoded(net, patches.flip(0), bf16).flip(0), whole)
    monkeypatch.setattr(autoencoder, "PART", 4)
    assert torch.equal(encoded(net, patches, bf16), whole)


@pytest.mark.parametrize(("channels", "side"), [(8, 16), (32, 20), (5, 3)])
def test_the_loop_is_group_normalisation_and_relu(channels: int, side: int) -> None:
    groups = 8 if channels % 8 == 0 else 1
    norm = torch.nn.GroupNorm(groups, channels)
    with torch.inference_mode():
        norm.weight.uniform_(-1.5, 1.5, generator=torch.Generator().manual_seed(0))
        norm.bias.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(1))
        maps = (torch.randn(3, channels, side, side, generator=torch.Generator().manual_seed(2)) * 3 + 7).bfloat16()
        maps[1] = 2.0  # nothing varies
        exact = F.group_norm(maps.float(), groups, norm.weight, norm.bias, norm.eps).relu()
        found = _normalised(maps.clone().contiguous(memory_format=torch.channels_last), norm)
    torch.testing.assert_close(found.float(), exact, rtol=2**-8, atol=1e-4)


def test_a_broken_patch_is_not_hidden() -> None:
    net = Autoencoder(3, 32, widths=(8, 16), embedding_size=8).eval()
    patches = torch.rand(2, 3, 32, 32)
    patches[1, 0, 5, 5] = float("nan")
    with torch.inference_mode():
        maps = maps_in_bf16(net.encoder, patches)
    assert maps[0].isfinite().all() and maps[1].isnan().any()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.float64])
def test_interleaved_patches_are_the_same_patches(dtype: torch.dtype) -> None:
    patches = (torch.rand(3, 4, 6, 8) * 255).to(dtype)
    part = patches[1:, :, 1:5, 2:7]
    assert torch.equal(interleaved(part), part)
    assert interleaved(part[:, :1]).shape == (2, 1, 4, 5)

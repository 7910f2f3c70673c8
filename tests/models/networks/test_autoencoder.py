"""The autoencoder: any patch it promises, rebuilt from its recipe, the same weights from the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import SettingsError
from tile_engine.models.networks.autoencoder import Autoencoder, to_float
from tile_engine.models.seeds import generator


@given(st.integers(2, 18), st.sampled_from([1, 3, 6]))
@settings(max_examples=12, deadline=None)
def test_every_multiple_of_16_comes_back_in_its_own_shape(sixteens: int, channels: int) -> None:
    net = Autoencoder(channels, sixteens * 16, widths=(8, 16, 24), embedding_size=10)
    patches_BCYX = torch.rand(2, channels, sixteens * 16, sixteens * 16)
    again_BCYX, codes_BF = net(patches_BCYX)
    assert again_BCYX.shape == patches_BCYX.shape
    assert codes_BF.shape == (2, 10)


@pytest.mark.parametrize("patch", [16, 100, 0])
def test_other_patches_are_refused_with_advice(patch: int) -> None:
    with pytest.raises(SettingsError, match="multiples of 16"):
        Autoencoder(patch=patch)


@given(st.integers(2, 6), st.sampled_from([1, 2]))
@settings(max_examples=6, deadline=None)
def test_cubes_of_every_multiple_of_8_come_back_in_their_own_shape(eights: int, channels: int) -> None:
    net = Autoencoder(channels, eights * 8, widths=(8, 16), embedding_size=10, axes=3)
    again = Autoencoder(**net.recipe())
    again.load_state_dict(net.state_dict())
    cubes_BCZYX = torch.rand(2, channels, *(eights * 8,) * 3)
    found_BCZYX, codes_BF = net(cubes_BCZYX)
    assert found_BCZYX.shape == cubes_BCZYX.shape and codes_BF.shape == (2, 10)
    torch.testing.assert_close(again.encode(cubes_BCZYX), codes_BF, rtol=0, atol=0)


def test_a_recipe_of_flat_patches_does_not_speak_of_axes() -> None:
    """What was trained before there were cubes keeps its bytes."""
    assert "axes" not in Autoencoder(patch=32).recipe()
    with pytest.raises(SettingsError, match="multiples of 8"):
        Autoencoder(patch=20, axes=3)


def test_a_pooled_embedding_does_not_say_where_in_the_patch_something_is() -> None:
    spot, moved = torch.full((2, 1, 3, 96, 96), 0.5)
    spot[..., 40:52, 24:36], moved[..., 40:52, 56:68] = 1.0, 1.0  # moved by a whole number of strides, off the edges
    differences = []
    for pooled in (True, False):
        net = Autoencoder(patch=96, widths=(8, 16), embedding_size=8, pooled=pooled)
        with torch.no_grad():
            first, second = net.encode(spot), net.encode(moved)
        differences.append(float((first - second).norm() / first.norm()))
    assert differences[0] < 1e-5 and differences[1] > 1e-2


@pytest.mark.parametrize("pooled", [False, True])
def test_a_recipe_rebuilds_the_network(pooled: bool) -> None:
    net = Autoencoder(6, 64, (16, 32), 24, generator(5, "autoencoder"), pooled=pooled)
    assert ("pooled" in net.recipe()) == pooled, "what was trained before there was a mean keeps its recipe"
    again = Autoencoder(**net.recipe())
    again.load_state_dict(net.state_dict())
    patches_BCYX = torch.rand(3, 6, 64, 64)
    torch.testing.assert_close(again.encode(patches_BCYX), net.encode(patches_BCYX), rtol=0, atol=0)


def test_weights_follow_the_generator_and_not_torch_s_global_one() -> None:
    torch.manual_seed(1)
    one = Autoencoder(patch=32, source=generator(3, "a"))
    torch.manual_seed(2)
    same, other = Autoencoder(patch=32, source=generator(3, "a")), Autoencoder(patch=32, source=generator(4, "a"))
    assert torch.equal(one.to_code.weight, same.to_code.weight)
    assert not torch.equal(one.to_code.weight, other.to_code.weight)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_white_is_one_in_every_stored_type(dtype: type, white: int) -> None:
    patches = np.array([[0, white]], dtype)
    assert to_float(patches).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(("axes", "channels", "count"), [(2, 3, 11), (2, 1, 1), (3, 1, 5), (3, 2, 9)])
def test_embeddings_have_the_same_bits_with_a_gradient_and_a_few_patches_at_a_time(
    axes: int, channels: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patches of which a gradient is asked are centred as one batch, others a few at a time."""
    from tile_engine.models.networks import autoencoder

    monkeypatch.setattr(autoencoder, "CACHED_BYTES", 2 * 4 * channels * 32**axes)
    net = Autoencoder(channels, 32, widths=(8, 16), embedding_size=10, axes=axes)
    patches = torch.rand(count, channels, *(32,) * axes)
    before = patches.clone()
    with torch.inference_mode():
        some = net.encode(patches)
    whole = net.encode(patches.clone().requires_grad_())
    assert torch.equal(some, whole.detach()) and torch.equal(patches, before)


@pytest.mark.parametrize("axes, channels", [(2, 3), (2, 1), (2, 4), (3, 1), (3, 2)])
@pytest.mark.parametrize("layout", ["planes", "channels last", "a part of larger ones"])
def test_bytes_have_the_bits_of_their_values(axes: int, channels: int, layout: str) -> None:
    network = Autoencoder(channels, patch=32, axes=axes)
    whole = torch.randint(0, 256, (3, channels, *(40,) * axes), generator=generator(0, "bytes"), dtype=torch.uint8)
    patches = whole[(..., *(slice(4, 36),) * axes)]
    if layout != "a part of larger ones":
        last = torch.channels_last if axes == 2 else torch.channels_last_3d
        patches = patches.contiguous(memory_format=last if layout == "channels last" else torch.contiguous_format)
    with torch.inference_mode():
        assert torch.equal(network.encode(patches), network.encode(to_float(patches)))

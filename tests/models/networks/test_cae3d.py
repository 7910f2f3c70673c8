"""CAE3D: shapes that come back, errors that say which multiples, codes of their own, memory that checkpointing saves."""

from __future__ import annotations

import resource

import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.cae3d import CAE3D, CLASS_FEATURE_SCALE
from tile_engine.models.networks.presets import NETWORK_PRESETS, network_preset


@pytest.mark.parametrize(
    ("shape", "widths", "maps"),
    [((16, 24, 16), (8, 8), 0), ((32, 16, 48), (8, 4, 6), 0), ((8, 12, 16), (4, 8), 3), ((4, 6, 4), (8,), 1)],
)
def test_a_volume_comes_back_in_its_shape(shape: tuple[int, int, int], widths: tuple[int, ...], maps: int) -> None:
    net = CAE3D(shape, widths=widths, embedding_size=7, maps=maps, channels=2)
    again, codes = net(torch.rand(3, 2, *shape))
    assert again.shape == (3, 2, *shape)
    assert codes.shape == (3, net.embedding_size)
    side = 2 ** len(widths)
    assert net.embedding_size == (maps * (shape[0] // side) * (shape[1] // side) * (shape[2] // side) if maps else 7)


@pytest.mark.parametrize("shape", [(80, 90, 80), (16, 32, 32)])
def test_a_shape_that_cannot_be_halved_is_refused_with_what_can(shape: tuple[int, int, int]) -> None:
    with pytest.raises(SettingsError, match="multiple of 16 and at least 32") as told:
        network_preset("onga", shape=shape)
    words = told.value.message.split("Use ")[1].split(",")[0]
    network_preset("onga", shape=tuple(map(int, words.split(" x "))))


def test_presets_have_the_sizes_of_their_papers() -> None:
    onga = CAE3D(**NETWORK_PRESETS["onga"])
    assert (onga.shape, onga.embedding_size, onga.bottom) == ((80, 96, 80), 150, (5, 6, 5))
    assert onga.to_code.weight.shape == (150, 150 + 2 * 240 + 19_200)  # 3 million of all weights
    assert onga.components_FG.shape == (150, 40 * 48 * 40)
    arai = CAE3D(**NETWORK_PRESETS["arai"])
    assert (arai.shape, arai.embedding_size, arai.bottom) == ((160, 192, 160), 150, (5, 6, 5))
    assert len([name for name in NETWORK_PRESETS if name.startswith("yamaguchi")]) == 16
    assert network_preset("yamaguchi-3x16").embedding_size == 16 * 10 * 12 * 10
    with pytest.raises(SettingsError, match="no network 'yamaguchi-5x2'"):
        network_preset("yamaguchi-5x2")


@pytest.mark.parametrize("maps", [0, 2])
def test_a_recipe_and_weights_rebuild_the_same_network(maps: int) -> None:
    net = CAE3D((16, 16, 16), widths=(8, 8), embedding_size=5, maps=maps, source=torch.Generator().manual_seed(4))
    again = CAE3D(**net.recipe())
    volumes = torch.rand(2, 1, 16, 16, 16)
    assert not torch.equal(again.encode(volumes), net.encode(volumes))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.encode(volumes), net.encode(volumes))


def test_class_features_are_shares_of_the_code_and_come_back_with_the_recipe() -> None:
    net, volumes = CAE3D((16, 16, 16), widths=(8, 8), embedding_size=8), torch.rand(3, 1, 16, 16, 16)
    before = net.encode(volumes)
    net.add_class_features(2)
    after = net.encode(volumes)
    assert torch.equal(after[:, :-2], before[:, :-2])
    assert torch.allclose(after[:, -2:], torch.full((3, 2), CLASS_FEATURE_SCALE / 2)), (
        "unlearned, every class is as likely"
    )
    again = CAE3D(**net.recipe())
    net.to_class_features.weight.data.fill_(0.1)[0] *= -1
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.encode(volumes), net.encode(volumes))
    assert not torch.equal(again.encode(volumes), after)


def test_a_code_too_short_for_marks_has_none() -> None:
    for net in (CAE3D((16, 16, 16), widths=(8, 8), embedding_size=5), CAE3D((16, 16, 16), widths=(8, 8), maps=2)):
        net.add_class_features(2)
        assert net.class_features == 0 and net.to_class_features is None


def test_a_code_does_not_depend_on_the_rest_of_the_batch() -> None:
    net, volumes = CAE3D((16, 16, 16), widths=(8, 8), embedding_size=5), torch.rand(4, 1, 16, 16, 16)
    assert torch.allclose(net.encode(volumes)[:1], net.encode(volumes[:1]), atol=1e-5)


@pytest.mark.parametrize("maps", [0, 2])
def test_checkpointing_changes_no_gradient(maps: int) -> None:
    gradients = []
    for checkpointing in (False, True):
        net = CAE3D((16, 16, 16), widths=(8, 8), embedding_size=5, maps=maps)
        net.checkpointing = checkpointing
        again, codes = net(torch.linspace(0, 1, 2 * 16**3).view(2, 1, 16, 16, 16))
        (again.square().mean() + codes.square().mean()).backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_bfloat16_comes_near_and_goes_out_as_float32() -> None:
    net = CAE3D((16, 16, 16), widths=(8, 8), embedding_size=5)
    net.decoder[-1].weight.data.fill_(0.1)  # unlearned, nothing but the template comes out
    volumes = torch.rand(2, 1, 16, 16, 16)
    exact, _ = net(volumes)
    net.mixed_precision = True
    again, codes = net(volumes)
    assert again.dtype == codes.dtype == torch.float32
    assert not torch.equal(again, exact)
    assert torch.allclose(again, exact, atol=0.1)


@pytest.mark.nightly
@pytest.mark.slow
def test_training_on_160_192_160_fits_8_gib() -> None:
    net = network_preset("arai")
    net.checkpointing = net.mixed_precision = True
    adam = torch.optim.Adam(net.parameters())
    for _ in range(2):
        volumes = torch.rand(2, 1, *net.shape)
        torch.nn.functional.mse_loss(net(volumes)[0], volumes).backward()
        adam.step()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 8 * 2**20  # KiB

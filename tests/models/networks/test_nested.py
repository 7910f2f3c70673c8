"""NestedAutoencoder: each size is embedded as it would be alone, and no code drowns another."""

from __future__ import annotations

import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.encoders import encoder_of, is_frozen
from tile_engine.models.networks.nested import NestedAutoencoder, middle
from tile_engine.models.seeds import generator


def one(patch: int, channels: int = 6) -> Autoencoder:
    return Autoencoder(channels, patch, (8,), 4, generator(patch, "weights"), pooled=True)


@pytest.fixture
def patches() -> torch.Tensor:
    return torch.rand(40, 6, 64, 64, generator=torch.Generator().manual_seed(0))


def test_each_part_of_the_embedding_is_the_code_of_its_own_autoencoder_of_the_middle(patches: torch.Tensor) -> None:
    small, large = one(32), one(64)
    embeddings = NestedAutoencoder([small, large]).encode(patches)
    assert torch.equal(embeddings[:, :4], small.encode(patches[:, :, 16:48, 16:48]))
    assert torch.equal(embeddings[:, 4:], large.encode(patches))


def test_standardised_codes_have_the_same_weight_and_keep_their_own_distances(patches: torch.Tensor) -> None:
    net, members = NestedAutoencoder([one(32), one(64)]), (one(32), one(64))
    with torch.no_grad():
        for network in (net.autoencoders[0], members[0]):
            network.to_code.weight.mul_(1000.0)
        codes = [member.encode(middle(patches, member.patch)) for member in members]
        net.standardise(codes)
        embeddings = net.encode(patches)
    assert embeddings.mean(0).abs().max() < 1e-3
    for code, part in zip(codes, embeddings.split(4, 1), strict=True):
        assert float(part.var(0, correction=0).mean()) == pytest.approx(1.0, rel=1e-3)
        ratio = torch.pdist(part) / torch.pdist(code)
        assert float(ratio.max() / ratio.min()) == pytest.approx(1.0, rel=1e-3), "no feature is scaled by itself"


def test_a_code_that_does_not_vary_stays_finite(patches: torch.Tensor) -> None:
    net = NestedAutoencoder([one(32), one(64)])
    net.standardise([torch.ones(5, 4), torch.rand(5, 4)])
    assert net.encode(patches).isfinite().all()


def test_a_recipe_and_weights_rebuild_it_with_its_standardisation(patches: torch.Tensor) -> None:
    net = NestedAutoencoder([one(32), one(64)])
    net.standardise([torch.rand(5, 4) * 7, torch.rand(5, 4)])
    again = encoder_of(net.recipe())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.encode(patches), net.encode(patches)) and not is_frozen(again)
    assert (again.embedding_size, again.channels, again.axes) == (8, 6, 2)


def test_the_error_of_reconstruction_is_the_mean_over_the_sizes(patches: torch.Tensor) -> None:
    small, large = one(32), one(64)
    net = NestedAutoencoder([small, large])
    net.standardise([torch.rand(5, 4) * 7 + 1, torch.rand(5, 4)])
    with torch.no_grad():
        found = net.reconstruction_error(net.encode(patches), patches)
        alone = [
            torch.nn.functional.mse_loss(member.decode(member.encode(seen)), seen)
            for member, seen in ((small, patches[:, :, 16:48, 16:48]), (large, patches))
        ]
    assert float(found) == pytest.approx(float(sum(alone)) / 2, rel=1e-4)


@pytest.mark.parametrize("sides", [(64, 32), (32, 32), (32,)])
def test_autoencoders_that_are_not_around_one_another_are_refused(sides: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="cannot be nested"):
        NestedAutoencoder([one(side) for side in sides])
    with pytest.raises(SettingsError, match="same channels"):
        NestedAutoencoder([one(32, channels=3), one(64)])

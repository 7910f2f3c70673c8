"""Vae: sizes, rebuilding from the recipe, presets, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.losses.likelihoods import LIKELIHOODS
from tile_engine.models.networks.vae import Vae, vae_of, vae_preset
from tile_engine.models.seeds import generator


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("side", "channels", "hidden"), [(33, 1, 0), (50, 3, 0), (17, 1, 8), (9, 3, 0)])
def test_a_network_of_any_side_and_channels_is_rebuilt_from_its_recipe(
    likelihood: str, side: int, channels: int, hidden: int
) -> None:
    vae = Vae(side, channels, 3, likelihood, hidden=hidden, widths=(8, 8, 8), source=generator(1, "x"))
    again = vae_of(vae.recipe())
    again.load_state_dict(vae.state_dict())
    films = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    log_p, mean, log_variance = vae(films, torch.zeros(2, 3))
    assert log_p.shape == films.shape and mean.shape == log_variance.shape == (2, 3)
    assert torch.isfinite(log_p).all()
    assert torch.equal(again(films, torch.zeros(2, 3))[0], log_p)
    made_up = vae.reconstruct(films)
    assert made_up.shape == films.shape and bool(((made_up >= 0) & (made_up <= 1)).all())


def test_the_sources_network_has_its_sizes() -> None:
    vae = vae_preset("kurotaki2017")
    weights = {name: tuple(p.shape) for name, p in vae.named_parameters() if name.endswith("weight")}
    assert sorted(weights.values()) == [(256, 256), (256, 10_000), (512, 256), (10_000, 256)]
    assert vae.recipe()["likelihood"] == "bernoulli"


def test_weights_follow_the_seed() -> None:
    one, same, other = (Vae(16, widths=(8,), source=generator(seed, "v")) for seed in (1, 1, 2))
    assert torch.equal(one.to_posterior.weight, same.to_posterior.weight)
    assert not torch.equal(one.to_posterior.weight, other.to_posterior.weight)


@pytest.mark.parametrize("changes", [{"side": 4}, {"latent": 0}, {"channels": 0}, {"likelihood": "poisson"}])
def test_what_makes_no_network_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="cannot be made"):
        Vae(**changes)  # type: ignore[arg-type]


def test_an_unknown_preset_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match="kurotaki2017, convolutional"):
        vae_preset("kingma")

"""Scores: a score depends on the film and its key alone, formulas against known values, and odd films are found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import distributions

from tile_engine.errors import SettingsError
from tile_engine.models.anomaly.evidence import Draws, Evidence, error_maps, evidence
from tile_engine.models.anomaly.regret import Search
from tile_engine.models.anomaly.scores import VAE_SCORES, iwae, negative_elbo, score_films
from tile_engine.models.networks.vae import Vae
from tile_engine.models.seeds import generator
from tile_engine.models.training.phases import train_phase
from tile_engine.models.training.variational import Variational, VariationalPlan

SIDE = 24


def discs(count: int, seed: int = 0) -> np.ndarray:
    """Bright discs near the middle in noise, uint8 (N, 1, SIDE, SIDE)."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    middle = SIDE / 2 + draw.normal(0, 1, (count, 2, 1, 1))
    inside = (y - middle[:, 0]) ** 2 + (x - middle[:, 1]) ** 2 < 36
    films = 0.2 + 0.5 * inside + draw.normal(0, 0.03, inside.shape)
    return (films.clip(0, 1)[:, None] * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained() -> Vae:
    vae = Vae(SIDE, latent=3, likelihood="gaussian", widths=(8, 16), source=generator(0, "test"))
    train_phase(Variational(vae, discs(64), VariationalPlan(steps=120, batch=32, rate=5e-3)))
    return vae


@pytest.mark.parametrize("hidden", [0, 12])
def test_a_film_has_the_same_scores_in_any_company(hidden: int) -> None:
    vae = Vae(SIDE, latent=3, likelihood="logistic", hidden=hidden, widths=(8, 16))
    films, keys = discs(11), [f"film {n}" for n in range(11)]
    draws, search = Draws(samples=4, batch=4), Search(steps=5)
    whole = score_films(vae, films, keys, draws=draws, search=search)
    order = [7, 2, 9]
    part = score_films(vae, films[order], [keys[n] for n in order], draws=draws, search=search)
    assert tuple(whole) == VAE_SCORES
    for name in VAE_SCORES:
        assert whole[name].shape == (11,) and np.isfinite(whole[name]).all()
        assert np.array_equal(whole[name][order], part[name]), name
    other = score_films(vae, films, keys, names=("negative_elbo",), draws=Draws(samples=4, seed=1, batch=4))
    assert not np.array_equal(other["negative_elbo"], whole["negative_elbo"])


def test_films_without_names_share_their_random_numbers(trained: Vae) -> None:
    films, draws = discs(5), Draws(samples=3, seed=4, shared=True)
    names = ("negative_elbo", "iwae")
    together = score_films(trained, np.concatenate([films, films]), [""] * 10, names=names, draws=draws)
    alone = score_films(trained, films[3:4], [""], names=names, draws=draws)
    for name in names:
        assert (together[name][:5] == together[name][5:]).all()
        assert np.isclose(alone[name][0], together[name][3], rtol=1e-6)


def test_every_score_ranks_other_shapes_above_discs(trained: Vae) -> None:
    strange = np.ascontiguousarray(discs(16, 2))
    strange[:, :, 2:6, 2:22] = 200
    films = np.concatenate([discs(16, 1), strange])
    scores = score_films(trained, films, [str(n) for n in range(32)], search=Search(steps=10))
    for name, values in scores.items():
        above = (values[16:, None] > values[None, :16]).mean()  # area under the ROC curve
        assert above > (0.95 if name == "regret" else 0.999), (name, above)


def test_the_map_shows_where_a_film_is_unlike(trained: Vae) -> None:
    film = discs(1, 3)
    film[:, :, 2:6, 2:22] = 200
    ((rows, error_BYX),) = error_maps(trained, film)
    assert rows.tolist() == [0] and error_BYX.shape == (1, SIDE, SIDE)
    assert error_BYX[0, 2:6, 2:22].mean() > 5 * error_BYX[0, 8:].mean()
    assert error_BYX.mean() == pytest.approx(evidence(trained, film, ["a"]).error[0], rel=1e-5)


def test_bounds_of_a_linear_model_are_those_of_its_exact_density() -> None:
    """x = a z + noise: log p(x) is known; the bound of the exact posterior is tight, and draws differ only by rounding."""
    a, sd, x = 0.7, 0.5, 1.3
    variance = 1 / (1 + a**2 / sd**2)
    mean = variance * a * x / sd**2
    z = mean + variance**0.5 * torch.randn(1, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    posterior, prior = distributions.Normal(mean, variance**0.5), distributions.Normal(0.0, 1.0)
    figures = Evidence(
        log_p=distributions.Normal(a * z, sd).log_prob(torch.tensor(x)).numpy(),
        log_ratio=(prior.log_prob(z) - posterior.log_prob(z)).numpy(),
        divergence=np.array([distributions.kl_divergence(posterior, prior).item()]),
        entropy=np.zeros(1),
        error=np.zeros(1),
    )
    exact = -distributions.Normal(0.0, (a**2 + sd**2) ** 0.5).log_prob(torch.tensor(x)).item()
    assert iwae(figures)[0] == pytest.approx(exact, abs=1e-6)
    assert negative_elbo(figures)[0] == pytest.approx(exact, abs=0.2)


def test_evidence_is_that_of_torch_distributions() -> None:
    vae, films = Vae(SIDE, latent=3, widths=(8, 16)), discs(2)
    figures = evidence(vae, films, ["a", "b"], Draws(samples=2))
    pixels = torch.from_numpy(films).float() / 255
    with torch.inference_mode():
        mean, log_variance = vae.posterior(pixels)
        posterior = distributions.Normal(mean, (0.5 * log_variance).exp())
        z = mean + posterior.stddev * Draws(samples=2).noise(["a", "b"], 3)[:, 1]
        density = distributions.Normal(vae.outputs(z).sigmoid(), vae.log_scale.exp()).log_prob(pixels)
        ratio = distributions.Normal(0.0, 1.0).log_prob(z) - posterior.log_prob(z)
    assert np.allclose(figures.log_p[:, 1], density.flatten(1).sum(1).numpy(), rtol=1e-5)
    assert np.allclose(figures.log_ratio[:, 1], ratio.sum(1).numpy(), atol=1e-4)
    assert (iwae(figures) <= -(figures.log_p + figures.log_ratio).mean(1) + 1e-9).all()


def test_regret_is_never_negative_and_grows_with_the_search(trained: Vae) -> None:
    films, keys = discs(4, 5), list("abcd")
    few, many = (
        score_films(trained, films, keys, names=("regret",), search=Search(steps=n))["regret"] for n in (1, 40)
    )
    assert (few >= 0).all() and many.mean() > few.mean()


@pytest.mark.parametrize(
    ("films", "keys", "match"),
    [
        (discs(2), ["a"], "1 different keys were given for 2 films"),
        (discs(2), ["a", "a"], "1 different keys"),
        (discs(2)[..., :20], ["a", "b"], "do not fit a network"),
    ],
)
def test_films_and_keys_that_do_not_fit_are_refused(films: np.ndarray, keys: list[str], match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        score_films(Vae(SIDE, latent=3, widths=(8, 16)), films, keys)


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(SettingsError, match="there is no score luck"):
        score_films(Vae(SIDE, latent=3, widths=(8, 16)), discs(1), ["a"], names=("luck",))

"""ComBat: fitted on some scans, applied to others; age stays in; what cannot be fitted is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tile_engine.models.harmonization.combat import fit_combat, why_not

Array = npt.NDArray[Any]


def scans(seed: int, count: int = 40) -> tuple[Array, Array, Array]:
    """Embeddings of two sites, the second shifted and wider; the first number follows age. (embeddings, sites, ages)."""
    draw = np.random.default_rng(seed)
    sites, ages = np.arange(count) % 2, draw.uniform(20, 80, count)
    embeddings = draw.normal(size=(count, 6)) * (1 + sites[:, None]) + 5 * sites[:, None]
    embeddings[:, 0] += ages / 4
    return embeddings, sites, ages[:, None]


def test_scans_that_it_was_not_fitted_on_lose_the_site_and_keep_age(capsys: pytest.CaptureFixture[str]) -> None:
    combat = fit_combat(*scans(0, 200))
    embeddings, sites, ages = scans(1, 200)
    before = embeddings.copy()
    adjusted = combat.apply(embeddings, sites, ages)
    np.testing.assert_array_equal(embeddings, before)
    first, second = adjusted[sites == 0][:, 1:], adjusted[sites == 1][:, 1:]
    assert np.abs(first.mean(0) - second.mean(0)).max() < 0.8 and np.abs(first.std(0) / second.std(0) - 1).max() < 0.3
    assert np.corrcoef(adjusted[:, 0], ages[:, 0])[0, 1] > 0.9
    assert not capsys.readouterr().out


def test_the_global_random_state_is_left_alone() -> None:
    np.random.seed(5)
    expected = np.random.RandomState(5).rand()
    fit_combat(*scans(0))
    assert np.random.rand() == expected


def test_numbers_that_do_not_vary_stay() -> None:
    embeddings, sites, _ = scans(0)
    embeddings[:, 2] = 3.0
    adjusted = fit_combat(embeddings, sites).apply(embeddings, sites)
    assert (adjusted[:, 2] == 3).all() and np.isfinite(adjusted).all()


def test_what_cannot_be_fitted_is_said() -> None:
    embeddings, sites, ages = scans(0)
    assert not why_not(embeddings, sites, ages)
    assert "there are 1" in why_not(embeddings, np.zeros(40, int))
    assert "smallest with 1" in why_not(embeddings, (np.arange(40) == 0).astype(int))
    assert "follow from the site" in why_not(embeddings, sites, 30.0 + 10 * sites[:, None])
    assert "varies" in why_not(np.ones_like(embeddings), sites)
    with pytest.raises(ValueError, match="there are 1"):
        fit_combat(embeddings, np.zeros(40, int))


def test_a_site_that_it_does_not_know_is_refused() -> None:
    embeddings, sites, _ = scans(0)
    with pytest.raises(ValueError, match=r"not on \[7\]"):
        fit_combat(embeddings, sites).apply(embeddings, np.full(40, 7))

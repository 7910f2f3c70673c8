"""Variational and pasting: phases stopped and resumed end with the same bits; the bound rises; the published preset trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.vae import Vae
from tile_engine.models.training.phases import Phase, train_phase
from tile_engine.models.training.rmsprop import RMSProp
from tile_engine.models.training.variational import KUROTAKI2017, Variational, VariationalPlan


def films(count: int = 24, side: int = 20) -> np.ndarray:
    """Ramps of random direction, uint8 (N, 1, side, side)."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    angle = draw.uniform(0, 6.28, (count, 1, 1, 1))
    return (255 * (0.5 + 0.3 * (np.cos(angle) * x + np.sin(angle) * y))).astype(np.uint8)


def adam() -> Phase:
    return Variational(Vae(20, latent=2, widths=(8, 8)), films(), VariationalPlan(steps=6, batch=8), seed=3)


def rmsprop() -> Phase:
    plan = VariationalPlan(steps=6, batch=8, optimiser="rmsprop")
    return Variational(Vae(20, latent=2, likelihood="bernoulli", hidden=16), films(), plan, seed=3)


@pytest.mark.parametrize("make", [adam, rmsprop])
def test_a_phase_stopped_and_loaded_into_a_new_one_ends_with_the_same_bits(make: Callable[[], Phase]) -> None:
    undisturbed, first, second = make(), make(), make()
    train_phase(undisturbed)
    for index in range(3):
        first.step(index)
    state = first.state()
    second.step(0)
    second.load(state)
    train_phase(second, start=3)
    expected, end = undisturbed.state(), second.state()
    assert expected.keys() == end.keys()
    assert all(torch.equal(expected[key], end[key]) for key in expected)
    assert any(not torch.equal(expected[key], state[key]) for key in expected)


def test_the_bound_rises() -> None:
    losses: list[float] = []
    vae = Vae(20, latent=2, widths=(8, 16))
    phase = Variational(vae, films(), VariationalPlan(steps=80, batch=24, rate=5e-3))
    train_phase(phase, report=lambda _, figures: losses.append(figures["loss"]))
    assert np.mean(losses[-5:]) < losses[0] - 200
    assert vae.template[0, 10, 10].item() == pytest.approx(np.log(0.5 / 0.5), abs=0.2)


def test_rmsprop_does_what_torchs_does() -> None:
    ours, theirs = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    mine, known = RMSProp({"n": ours}), torch.optim.RMSprop(theirs.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for index in range(4):
        mine.step(ours(x).square().sum(), index)
        known.zero_grad()
        theirs(x).square().sum().backward()
        known.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-7)


def test_the_published_plan_has_fifty_passes_of_a_hundred_films() -> None:
    plan = KUROTAKI2017.of_epochs(350, 50)
    assert (plan.steps, plan.batch, plan.optimiser) == (150, 100, "rmsprop")
    assert KUROTAKI2017.of_epochs(30, 50).steps == 50


def test_films_of_another_side_are_refused() -> None:
    with pytest.raises(SettingsError, match="Prepare them at the side"):
        Variational(Vae(32, widths=(8, 8)), films(), VariationalPlan(steps=1))


@pytest.mark.parametrize("changes", [{"steps": 0}, {"optimiser": "sgd"}, {"rate": 0.0}])
def test_a_plan_that_cannot_be_done_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="cannot be done"):
        VariationalPlan(**{"steps": 1, **changes})  # type: ignore[arg-type]

"""Transfer: stages, learning rates, fresh optimisers, and blocks that start from another task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.networks.film_network import FilmNetwork
from tile_engine.models.networks.film_resnet import FilmResNet
from tile_engine.models.networks.vgg16 import VGG16
from tile_engine.models.training.film_training import FilmPlan, LabelledFilms
from tile_engine.models.training.transfer import (
    Stage,
    renew_head,
    scratch_rates,
    stage_phase,
    start_from,
    transfer,
    transfer_stages,
)

DATA = LabelledFilms(np.random.default_rng(0).integers(0, 255, (12, 1, 32, 32)).astype(np.uint8), np.arange(12) % 2)


def small(classes: int = 2) -> FilmNetwork:
    return FilmResNet(classes, side=32, widths=(4, 4, 4, 4))


def test_the_stages_of_vgg16_are_the_published_ones_with_falling_rates() -> None:
    stages = transfer_stages(VGG16(side=32, inner=8))
    assert [stage.name for stage in stages] == ["FC", "+B5", "+B4", "+B3", "+B2", "+B1"]
    assert stages[0].rates == {"head": 1e-3}
    expected = {"head": 1e-3, "B5": 1e-4, "B4": 3e-5, "B3": 9e-6, "B2": 2.7e-6, "B1": 8.1e-7}
    assert stages[-1].rates == pytest.approx(expected)


def test_each_stage_changes_its_blocks_alone_and_begins_with_new_moments() -> None:
    network, seen, before = small(), [], {}
    plan = FilmPlan(steps=2, batch=6, check=1, patience=0)

    def after(stage: Stage, net: FilmNetwork) -> None:
        now = {key: tensor.clone() for key, tensor in net.state_dict().items()}
        changed = {key for key in now if before and not torch.equal(now[key], before[key])}
        seen.append((stage.name, {key.split(".")[1] for key in changed if key.startswith("layers.")}))
        before.update(now)

    before.update({key: tensor.clone() for key, tensor in network.state_dict().items()})
    transfer(network, DATA, DATA, plan, after=after)
    assert seen == [
        ("FC", set()),
        ("+B4", {"3"}),
        ("+B3", {"2", "3"}),
        ("+B2", {"1", "2", "3"}),
        ("+B1", {"0", "1", "2", "3"}),
    ]
    phase = stage_phase(network, transfer_stages(network)[1], DATA, DATA, plan)
    assert all(not t.any() for key, t in phase.state().items() if key.startswith("adam.")) and phase.name == "stage +B4"


def test_a_stage_resumes_in_another_process_with_the_same_bits() -> None:
    plan = FilmPlan(steps=4, batch=6, check=2)
    stage = transfer_stages(small())[2]
    whole, first, second = (stage_phase(small(), stage, DATA, DATA, plan) for _ in range(3))
    for index in range(4):
        whole.step(index)
    first.step(0), first.step(1)
    second.load(first.state())
    second.step(2), second.step(3)
    assert all(torch.equal(t.nan_to_num(), second.state()[k].nan_to_num()) for k, t in whole.state().items())


def test_a_new_task_keeps_the_blocks_and_draws_the_head_anew() -> None:
    pretrained, network = small(3), small(2)
    with torch.no_grad():
        for parameter in pretrained.parameters():
            parameter.add_(0.5)
    start_from(network, pretrained.state_dict())
    head = network.state_dict()["head.1.weight"].clone()
    renew_head(network, seed=3)
    state = network.state_dict()
    assert all(torch.equal(t, state[k]) for k, t in pretrained.state_dict().items() if not k.startswith("head."))
    assert not torch.equal(head, state["head.1.weight"])


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(SettingsError, match="of another network than film_resnet"):
        start_from(small(), FilmResNet(side=32, widths=(4, 4, 4, 8)).state_dict())


def test_a_network_without_norms_starts_slower() -> None:
    assert set(scratch_rates(small()).values()) == {2e-3}
    assert set(scratch_rates(VGG16(side=32, inner=8)).values()) == {3e-4}

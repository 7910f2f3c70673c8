"""Training of films: it learns, resumes with the same bits after early stopping too, and freezes what it does not train."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss

from tile_engine.errors import SettingsError
from tile_engine.models.networks.film_network import FilmNetwork
from tile_engine.models.networks.film_resnet import FilmResNet
from tile_engine.models.networks.mnist_cnn import MnistCNN
from tile_engine.models.training.film_inference import logits_of
from tile_engine.models.training.film_training import FilmPlan, FilmTraining, LabelledFilms, balanced_loss
from tile_engine.models.training.phases import train_phase
from tile_engine.models.training.transfer import scratch_rates


def films(count: int = 24, side: int = 32, seed: int = 0) -> LabelledFilms:
    """Noise; films of label 1 have a bright square somewhere in their lower half."""
    draw, labels = np.random.default_rng(seed), np.arange(count) % 2
    values = draw.integers(60, 120, (count, 1, side, side))
    for i in np.flatnonzero(labels):
        y, x = draw.integers(side // 2, side - 8), draw.integers(4, side - 12)
        values[i, 0, y : y + 8, x : x + 8] += 130
    return LabelledFilms(values.astype(np.uint8), labels)


def network() -> FilmNetwork:
    return FilmResNet(side=32, widths=(4, 4, 8, 8))


def phase(plan: FilmPlan, net: FilmNetwork | None = None) -> FilmTraining:
    net = net or network()
    return FilmTraining(net, films(), films(12, seed=1), plan, rates=scratch_rates(net))


@pytest.mark.parametrize("net", [network, lambda: MnistCNN(side=32)])
def test_a_training_resumes_with_the_same_bits(net: type[FilmNetwork]) -> None:
    """Dropout, norms, moments, and what early stopping has seen."""
    plan = FilmPlan(steps=6, batch=8, check=2, patience=2)
    whole, first, second = (phase(plan, net()) for _ in range(3))
    train_phase(whole)
    for index in range(3):
        first.step(index)
    state = first.state()
    torch.rand(5)  # the process's own generator is elsewhere
    second.load({key: tensor.clone() for key, tensor in state.items()})
    train_phase(second, 3)
    assert state.keys() == whole.state().keys()
    for key, tensor in whole.state().items():
        assert torch.equal(tensor.nan_to_num(), second.state()[key].nan_to_num()), key


def test_it_learns_what_films_of_a_label_have() -> None:
    training = phase(FilmPlan(steps=60, batch=12, check=10))
    train_phase(training)
    net, data = training.finish(), films(40, seed=2)
    assert (logits_of(net, data.films).argmax(1) == data.labels).mean() > 0.85


def test_it_stops_without_a_better_validation_loss_and_keeps_the_best_weights() -> None:
    """Validation labels are turned round: what is learned makes their loss worse."""
    net = network()
    wrong = LabelledFilms(films(12, seed=1).films, 1 - films(12, seed=1).labels)
    training = FilmTraining(
        net, films(), wrong, FilmPlan(steps=200, batch=12, check=2, patience=3), rates=scratch_rates(net)
    )
    losses = [training.step(index)["validation"] for index in range(200)]
    assert training.stopped and len({x for x in losses if not math.isnan(x)}) < 100
    weights = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    assert training.step(150)["loss"] == min(x for x in losses if not math.isnan(x))
    assert all(torch.equal(tensor, net.state_dict()[key]) for key, tensor in weights.items())
    training.finish()
    assert balanced_loss(logits_of(net, wrong.films), wrong.labels) == pytest.approx(np.nanmin(losses))


def test_what_is_not_trained_keeps_weights_and_statistics() -> None:
    net = network()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    plan = FilmPlan(steps=3, batch=8, patience=0)
    train_phase(FilmTraining(net, films(), films(12), plan, rates={"head": 1e-2, "B4": 1e-3}))
    changed = {key for key, tensor in net.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed and all(key.startswith(("head.", "layers.3.")) for key in changed)
    assert any("running_mean" in key for key in changed)


def test_the_process_s_generator_is_left_alone() -> None:
    training = phase(FilmPlan(steps=1, batch=8))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    training.step(0)
    assert torch.equal(torch.rand(3), expected)


def test_the_balanced_loss_is_that_of_scikit_learn_with_weights() -> None:
    draw = np.random.default_rng(0)
    logits, labels = draw.normal(0, 2, (30, 2)), (np.arange(30) % 5 == 0).astype(int)
    weights = 1.0 / np.bincount(labels)[labels]
    assert balanced_loss(logits, labels) == pytest.approx(
        log_loss(labels, softmax(logits, 1)[:, 1], sample_weight=weights)
    )


def test_logits_do_not_depend_on_the_batch() -> None:
    net, data = network(), films(5)
    assert np.array_equal(logits_of(net, data.films, 4)[:4], logits_of(net, data.films[:4], 4))
    assert logits_of(net, data.films[:0]).shape == (0, 2)


def test_what_cannot_be_trained_is_refused() -> None:
    net, data = network(), films()
    one = LabelledFilms(data.films, np.zeros(24, int))
    with pytest.raises(SettingsError, match="two classes or more"):
        FilmTraining(net, data, one, FilmPlan(steps=1), rates={"head": 1e-3})
    with pytest.raises(SettingsError, match="B9 is to be trained"):
        FilmTraining(net, data, data, FilmPlan(steps=1), rates={"B9": 1e-3})
    with pytest.raises(SettingsError, match="cannot be done"):
        FilmPlan(steps=0)

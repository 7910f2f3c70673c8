"""Every objective behind one interface: planted clusters are found, and a stop changes no bit."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tile_engine.errors import MachineError
from tile_engine.models.evaluation.metrics import agreement
from tile_engine.models.training.clustering import (
    CLASSICAL,
    OBJECTIVES,
    TWO_VIEWS,
    ClusterPhase,
    ObjectiveName,
    baseline_labels,
    cluster_phase,
)
from tile_engine.models.training.phases import train_phase

K, SEEDS = 4, (3, 5)
needs_igraph = pytest.mark.skipif(not find_spec("igraph"), reason="igraph is not installed")
EVERY = [pytest.param(name, marks=needs_igraph if name == "leiden" else ()) for name in OBJECTIVES]


def planted(views: int = 3, count: int = 400, noise: float = 0.3) -> tuple[torch.Tensor, np.ndarray]:
    draw = torch.Generator().manual_seed(1)
    classes = torch.arange(count) % K
    centres = torch.randn(K, 16, generator=draw) * 2
    own = torch.randn(count, 16, generator=draw) * noise
    return centres[classes] + own + torch.randn(views, count, 16, generator=draw) * noise, classes.numpy()


def begun(objective: ObjectiveName) -> ClusterPhase:
    return cluster_phase(objective, planted()[0], K, SEEDS, steps=100, batch=200)


@pytest.mark.parametrize("objective", EVERY)
def test_planted_clusters_are_found_and_its_head_gives_them_to_new_patches(objective: ObjectiveName) -> None:
    embeddings_VNF, classes = planted()
    phase = begun(objective)
    train_phase(phase)
    qualities = {q.seed: q for q in phase.qualities()}
    assert set(qualities) == set(SEEDS) and {q.clusters for q in qualities.values()} == {K}
    best = min(SEEDS, key=lambda seed: qualities[seed].loss)
    labels = phase.labels()[K, best]
    assert agreement(classes, labels).accuracy > 0.95
    assert not qualities[best].collapsed and qualities[best].smallest > 0.15
    p_NK = phase.extract(best)(embeddings_VNF[0])
    torch.testing.assert_close(p_NK.sum(1), torch.ones(len(classes)))
    assert (p_NK.argmax(1).numpy() == labels).mean() > 0.99
    assert agreement(classes, phase.extract(best)(embeddings_VNF[1]).argmax(1).numpy()).accuracy > 0.95


@pytest.mark.parametrize("objective", EVERY)
def test_a_phase_stopped_and_loaded_into_a_new_one_ends_with_the_same_bits(objective: ObjectiveName) -> None:
    undisturbed, first, second = (begun(objective) for _ in range(3))
    stop, end = (1, 2) if undisturbed.steps == len(SEEDS) else (3, 6)
    for index in range(end):
        undisturbed.step(index)
    for index in range(stop):
        first.step(index)
    second.step(0)
    second.load(first.state())
    for index in range(stop, end):
        second.step(index)
    wanted, found = undisturbed.state(), second.state()
    assert wanted.keys() == found.keys() == begun(objective).state().keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)


def test_classical_objectives_take_one_step_a_seed_and_are_not_fine_tuned() -> None:
    for objective in CLASSICAL:
        if objective != "leiden" or find_spec("igraph"):
            assert begun(objective).steps == len(SEEDS)
        assert objective not in TWO_VIEWS


def test_baselines_are_one_call_and_one_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tile_engine.models.clustering.communities.find_spec", lambda name: None)
    embeddings_VNF, classes = planted()
    found = baseline_labels(embeddings_VNF, K, 0)
    assert set(found) == set(CLASSICAL) and found["leiden"] is None
    for name in ("kmeans", "graph"):
        assert agreement(classes, found[name]).accuracy > 0.95


def test_leiden_without_igraph_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tile_engine.models.clustering.communities.find_spec", lambda name: None)
    with pytest.raises(MachineError, match=r"pip install 'tile-engine\[leiden\]'"):
        begun("leiden")

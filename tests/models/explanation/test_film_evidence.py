"""Evidence in films: it sums to the logit where the head is one layer, lies where the class is, and depends on the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tile_engine.models.explanation.checks import deletion_curve, randomised, randomised_likeness
from tile_engine.models.explanation.gradcam import evidence_maps
from tile_engine.models.networks.film_resnet import FilmResNet
from tile_engine.models.networks.mnist_cnn import MnistCNN


def test_evidence_of_a_linear_head_sums_to_the_logit() -> None:
    """Weights are made positive, as maps are: no cell has negative evidence that would be cut off."""
    network = FilmResNet(side=32, widths=(4, 4, 4, 6)).eval()
    with torch.no_grad():
        network.head[1].weight.abs_()
    films = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    evidence, logits = evidence_maps(network, films, [1, 1])
    bias = network.head[1].bias[1].item()
    assert evidence.shape == (2, 2, 2) and evidence.sum((1, 2)) == pytest.approx(logits[:, 1] - bias, rel=1e-4)


def test_evidence_lies_where_the_class_is() -> None:
    """The head of the flat network reads one cell alone, so all evidence is in that cell."""
    network = MnistCNN(side=16).eval()
    with torch.no_grad():
        weight = network.head[1].weight.abs_().view(128, 32, 6, 6)
        keep = torch.zeros(6, 6)
        keep[1, 4] = 1.0
        weight.mul_(keep)
        network.head[4].weight.abs_()
    evidence, _ = evidence_maps(network, torch.rand(1, 1, 16, 16), [0])
    assert evidence[0, 1, 4] > 0 and np.count_nonzero(evidence) == 1


def test_checks_take_networks_of_films() -> None:
    network, film = FilmResNet(side=64, widths=(4, 4, 4, 6)).eval(), torch.rand(1, 64, 64)
    copy = randomised(network, "last_layer", seed=1)
    assert not torch.equal(copy.head[1].weight, network.head[1].weight)
    assert all(torch.equal(p, q) for p, q in zip(copy.layers.parameters(), network.layers.parameters(), strict=True))
    assert randomised_likeness(network, film).keys() == {"last_layer", "all_layers"}
    curve = deletion_curve(network, film, np.random.default_rng(0).random((64, 64)), 0)
    assert len(curve) == 7 and all(0 <= value <= 1 for value in curve)

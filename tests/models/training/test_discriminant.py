"""Linear discriminant: its covariance is that of scikit-learn, and rows that are all alike within classes do no harm."""

from __future__ import annotations

import numpy as np
from sklearn.covariance import ledoit_wolf

from tile_engine.models.training.discriminant import linear_discriminant, shrunk_covariance


def test_the_covariance_is_scikit_learns() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 30)) * np.linspace(0.5, 3, 30)
    assert np.allclose(shrunk_covariance(rows), ledoit_wolf(rows, assume_centered=True)[0])
    assert np.allclose(shrunk_covariance(np.zeros((4, 3))), 0)


def test_one_row_a_class_gives_the_nearest_row() -> None:
    rows = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    weights, bias = linear_discriminant(rows, np.arange(3), 4)
    near = rows + 0.3
    assert (near @ weights.T + bias).argmax(1).tolist() == [0, 1, 2]

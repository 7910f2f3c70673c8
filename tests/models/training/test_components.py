"""Components: those of scikit-learn, without ever holding the volumes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tile_engine.models.batches import Selection
from tile_engine.models.training.components import VOLUMES_PER_READ, Components, ComponentsOfFolds


def volumes(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, 1, 6, 5, 4), dtype=np.uint8)


@pytest.mark.parametrize("code", [3, 60])
def test_codes_and_errors_are_those_of_scikit_learn(code: int) -> None:
    train, test = volumes(VOLUMES_PER_READ + 20, 0), volumes(VOLUMES_PER_READ + 3, 1)
    components = Components(train, code)
    flat = [part.reshape(len(part), -1) / 255.0 for part in (train, test)]
    pca = PCA(code).fit(flat[0])
    wanted = pca.transform(flat[1])
    found = components.embeddings(test)
    assert found.dtype == np.float32
    assert np.abs(found) == pytest.approx(np.abs(wanted), abs=1e-3)
    errors = np.square(pca.inverse_transform(wanted) - flat[1]).mean(1)
    assert components.squared_errors(test) == pytest.approx(errors, abs=1e-5)


def test_few_volumes_have_one_component_less() -> None:
    assert Components(volumes(7, 0), 150).embeddings(volumes(3, 1)).shape == (3, 6)


class Counted:
    """Volumes that count how often they are read."""

    def __init__(self, volumes: np.ndarray) -> None:
        self.volumes, self.reads = volumes, 0

    def __len__(self) -> int:
        return len(self.volumes)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        self.reads += len(index)
        return self.volumes[index]


def test_components_of_folds_are_those_of_each_fold_and_further_folds_read_nothing() -> None:
    stored = Counted(volumes(VOLUMES_PER_READ + 9, 2))
    of_folds = ComponentsOfFolds(stored)
    reads = stored.reads
    for start in (0, 20, 40):
        rows = np.setdiff1d(np.arange(len(stored)), np.arange(start, start + 20))
        found, length = of_folds.read(rows)
        wanted, wanted_length = Components(Selection(stored.volumes, rows), len(rows) - 1).read(stored.volumes)
        assert length == pytest.approx(wanted_length, abs=1e-4) and found.dtype == np.float32
        assert np.abs(found[:, :20]) == pytest.approx(np.abs(wanted[:, :20]), abs=1e-3)
    assert stored.reads == reads

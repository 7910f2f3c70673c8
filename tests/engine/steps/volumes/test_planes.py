"""Planes of a volume lie through the middle of what is labelled, found without the indices of its cells."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.engine.steps.volumes.planes import centroid


@pytest.mark.parametrize("share", [0.0, 0.001, 0.4, 1.0])
def test_the_centroid_is_the_mean_of_the_labelled_cells(share: float) -> None:
    labels = (np.random.default_rng(1).random((9, 11, 13)) < share).astype(np.uint8) * 3
    cells = np.argwhere(labels) if labels.any() else np.argwhere(labels == 0)
    np.testing.assert_allclose(centroid(labels), cells.mean(0) + 0.5)

"""A network as learner of sites: what it sees, and that it predicts the sites by their numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.evaluation.network_learner import central_block, network_learner


def test_the_block_is_cut_out_about_the_middle_of_the_mask() -> None:
    values = np.arange(10.0)
    mask = np.zeros(10, bool)
    mask[3:9] = True
    assert central_block(values, mask, side=2).tolist() == [5, 6]
    assert central_block(values, mask, side=8).tolist() == [0, 3, 4, 5, 6, 7, 8, 0]
    mask[4] = False
    assert central_block(values, mask, side=4).tolist() == [0, 5, 6, 7]
    with pytest.raises(ValueError, match="empty"):
        central_block(values, ~np.ones(10, bool))


def test_a_network_tells_sites_of_any_number_apart() -> None:
    sites = np.array([0, 3] * 6)
    blocks = np.random.default_rng(0).random((12, 12, 12)).astype(np.float16)
    blocks[sites == 3] **= 3
    learner = network_learner(blocks, sites, steps=2)
    assert learner(np.arange(8), np.arange(8, 12)).tolist() == [0, 3, 0, 3]

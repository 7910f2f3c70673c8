"""Effects of stains: the stain in which a cluster differs has the largest distance, and a missing stain none."""

from __future__ import annotations

import numpy as np

from tile_engine.models.evaluation.stain_effects import stain_effects


def test_the_stain_that_differs_tells_the_cluster_apart() -> None:
    draw = np.random.default_rng(0)
    colours = draw.normal(180, 6, (300, 3, 3))
    cluster = np.repeat([1, 2, 3], 100)
    colours[cluster == 2, 1, 2] -= 60
    colours[cluster == 3, 2] = np.nan
    found = stain_effects(colours, cluster)
    assert int(np.nanargmax(found[2])) == 1 and found[2][1] > 4 > found[2][0]
    assert np.isnan(found[3][2]) and found[1][2] < 1


def test_a_distance_of_two_normal_clouds_is_that_of_their_means_in_deviations() -> None:
    draw = np.random.default_rng(1)
    density = draw.normal(0.4, 0.05, (4000, 1, 3))
    density[:2000, 0, 0] += 0.1
    colours = 256 * 10**-density - 1
    assert abs(stain_effects(colours, np.repeat([1, 2], 2000))[1][0] - 2.0) < 0.1

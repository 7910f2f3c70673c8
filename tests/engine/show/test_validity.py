"""Ranks, agreement and slide-bound clusters, against values computed by hand or by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tile_engine.engine.show.validity import favourites, mean_ranks, normalised_mutual_information, slide_bound


def rows(index, values, seed=0):
    return [{"k": k, "seed": seed, "index": index, "value": v} for k, v in values.items()]


def test_ranks_follow_each_index_in_its_own_direction_and_ties_share():
    scores = rows("silhouette", {2: 0.1, 3: 0.5, 4: 0.5}) + rows("davies_bouldin", {2: 0.3, 3: 0.2, 4: 0.9})
    ranks = mean_ranks(scores)
    assert {k: r for k, (r, _) in ranks.items()} == {2: 2.5, 3: 1.25, 4: 2.25}
    assert ranks[2][1] == pytest.approx(0.5)
    assert favourites(scores) == {"silhouette": 3, "davies_bouldin": 3}


def test_values_that_are_not_finite_take_no_part():
    assert mean_ranks(rows("dunn", {2: float("nan"), 3: 1.0})) == {3: (1.0, 0.0)}


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, (3, 4), elements=st.integers(0, 6)))
def test_mutual_information_agrees_with_scikit_learn(counts):
    from sklearn.metrics import normalized_mutual_info_score

    cluster, slide = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    if len(cluster) == 0 or len(set(cluster)) < 2 or len(set(slide)) < 2:
        return  # conventions differ where there is nothing to share
    expected = normalized_mutual_info_score(slide, cluster)
    assert normalised_mutual_information(counts) == pytest.approx(expected, abs=1e-9)


def test_a_cluster_of_one_slide_is_called_out_unless_that_slide_is_most_of_the_run():
    counts = np.array([[50, 50, 50], [40, 0, 1], [0, 0, 0]])
    assert slide_bound(counts) == [2]
    assert slide_bound(np.array([[500, 5], [40, 0]])) == []

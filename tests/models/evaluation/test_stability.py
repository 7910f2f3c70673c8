"""Reproducibility: planted kinds are recommended, structureless data have one kind, and slides are drawn as a whole."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tile_engine.models.evaluation import stability
from tile_engine.models.evaluation.stability import DOZENS, Recommendation, Redraws, Reproducibility, recommend

KS = range(2, 7)
reproducibility = partial(stability.reproducibility, redraws=Redraws(draws=4))
"""Draws enough for small sets."""


def blobs(sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    places = np.eye(4)[: len(sizes)] * 9
    return np.concatenate([place + draw.normal(size=(size, 4)) for place, size in zip(places, sizes, strict=True)])


def row(
    clusters: int, rand: float, method: str = "separate", chance: float = 0.2, jaccard: float = 0.9
) -> Reproducibility:
    return Reproducibility(clusters, method, rand, chance, (jaccard,) * clusters)  # type: ignore[arg-type]


@pytest.mark.parametrize("sizes", [(90, 90, 90), (190, 80, 40, 25)])
def test_planted_kinds_are_recommended_whatever_their_sizes(sizes: tuple[int, ...]) -> None:
    rows = reproducibility(blobs(sizes), KS, seed=1)
    choice = recommend(rows)
    assert (choice.clusters, choice.method) == (len(sizes), "separate")
    best = next(r for r in rows if (r.clusters, r.method) == (len(sizes), "separate"))
    assert best.rand > 0.99 and min(best.jaccard) > 0.98 and best.chance < 0.9


def test_gaussian_noise_is_one_kind() -> None:
    points = np.random.default_rng(3).normal(size=(300, 5)) * np.linspace(1, 0.3, 5)
    assert recommend(reproducibility(points, KS)) == Recommendation(1, "continuous", ())


def test_the_same_seed_gives_the_same_figures_and_another_does_not() -> None:
    points = np.random.default_rng(0).normal(size=(120, 3))
    first = reproducibility(points, [2, 3], seed=4)
    assert first == reproducibility(points, [2, 3], seed=4) != reproducibility(points, [2, 3], seed=5)


def test_whole_slides_are_drawn_from_five_slides_on() -> None:
    slides = np.repeat(np.arange(5), 20)
    draws = [stability._drawn(100, slides, np.random.default_rng(i)) for i in range(20)]
    assert all(len(rows) == 20 * len(set(slides[rows].tolist())) for rows in draws)
    assert len({len(rows) for rows in draws}) > 1 and all(len(rows) < 100 for rows in draws[:1])
    parts = stability._drawn(100, np.minimum(slides, 3), np.random.default_rng(0))
    assert all(0 < (np.minimum(slides, 3)[parts] == slide).sum() < 40 for slide in range(4)), "patches of each slide"


def test_kinds_that_one_slide_alone_has_do_not_come_back() -> None:
    """Two kinds on every slide, and a third on one of eight: by patches there are three, by slides two."""
    draw = np.random.default_rng(0)
    common = blobs((160, 160))
    points = np.r_[common, draw.normal((0, 0, 9, 0), size=(40, 4))]
    slides = np.r_[np.arange(320) % 8, np.zeros(40, int)]
    assert recommend(reproducibility(points, [2, 3])).clusters == 3
    by_slide = {r.clusters: r for r in reproducibility(points, [2, 3], groups_N=slides) if r.method == "separate"}
    assert min(by_slide[3].jaccard) < min(by_slide[2].jaccard)


def test_a_k_needs_ten_points_a_cluster_and_the_smallest_is_always_tried() -> None:
    points = blobs((20, 20))
    assert {r.clusters for r in reproducibility(points, range(2, 9))} == {2, 3, 4}
    assert {r.clusters for r in reproducibility(points, [14])} == {14}
    assert {r.clusters for r in reproducibility(points[:3], [8])} == {8}, "more clusters than points"


def test_what_passes_and_the_largest_near_the_best_is_taken() -> None:
    assert row(3, 0.75).passes and not row(3, 0.74).passes
    assert not row(3, 0.9, jaccard=0.59).passes and not row(3, 0.9, chance=0.86).passes
    assert recommend([row(2, 0.99), row(4, 0.95), row(5, 0.90), row(6, 0.6)]) == Recommendation(
        4, "separate", (2, 4, 5)
    )
    both = [row(2, 0.5), row(3, 0.99, "continuous"), row(6, 0.8, "continuous")]
    assert recommend(both) == Recommendation(3, "continuous", (3, 6))
    assert recommend([row(2, 0.8), *both[1:]]).method == "separate"
    assert recommend([row(2, 0.5)]).clusters == 1


def test_the_jaccard_index_of_a_cluster_and_its_best_match() -> None:
    first, other = np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0])
    assert stability._jaccard([first, other], 2) == pytest.approx((2 / 3, 2 / 3))
    assert stability._jaccard([first, first, other], 2) == pytest.approx((5 / 6, 5 / 6))


def test_the_adjusted_rand_index_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    for size, first, second in ((2, 1, 1), (5, 2, 3), (40, 4, 2), (3000, 20, 20)):
        a, b = draw.integers(0, first, size), draw.integers(0, second, size)
        for one, other in ((a, b), (a, a), (a, (a + 1) % first)):
            assert stability.adjusted_rand(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


@pytest.mark.nightly
def test_two_dozen_points_have_the_kinds_that_were_planted_or_one() -> None:
    draw = np.random.default_rng(1)
    planted = blobs((8, 8, 8))
    assert recommend(stability.reproducibility(planted, KS, redraws=DOZENS)).clusters == 3
    noise = draw.normal(size=(24, 4))
    assert recommend(stability.reproducibility(noise, KS, redraws=DOZENS)).clusters == 1


def test_ward_is_tried_where_it_is_asked_for() -> None:
    rows = reproducibility(blobs((30, 30, 30)), KS, redraws=Redraws(draws=4, methods=("ward",)))
    assert {r.method for r in rows} == {"ward"}
    assert recommend(rows) == Recommendation(3, "ward", recommend(rows).passing)

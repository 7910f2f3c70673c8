"""Dependence of clusters on slides and columns: chance is taken off, and what cannot be said is said to be so."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information

from tile_engine.models.evaluation import dependence
from tile_engine.models.evaluation.dependence import (
    _expected_information,
    column_information,
    dependences,
    slide_information,
)

SUBJECTS = ("",) * 12


def planted(stained: float, seed: int = 0) -> np.ndarray:
    """Tiles (3 clusters, 12 slides): every slide has its own mixture; slides 0-5 have more of cluster 1 by `stained`."""
    draw = np.random.default_rng(seed)
    mixtures = draw.dirichlet((3, 3, 3), 12)
    mixtures[:6] = (1 - stained) * mixtures[:6] + stained * np.array([1, 0, 0])
    return np.stack([draw.multinomial(500, mixture) for mixture in mixtures], 1)


def test_information_on_the_slide_is_that_of_scikit_learn() -> None:
    counts = np.random.default_rng(1).integers(0, 9, (3, 4))
    cluster, slide = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    found = slide_information(counts)
    assert found.nmi == pytest.approx(normalized_mutual_info_score(cluster, slide))
    assert found.adjusted == pytest.approx(adjusted_mutual_info_score(cluster, slide))


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 12)))
def test_the_information_expected_by_chance_is_its_definition(table: np.ndarray) -> None:
    """With exact chances, over all counts that a cell can have; empty rows and columns add nothing."""
    total, mean = int(table.sum()), 0.0
    for a, b in itertools.product(table.sum(1).tolist(), table.sum(0).tolist()):
        for n in range(max(1, a + b - total), min(a, b) + 1):
            chance = Fraction(math.comb(a, n) * math.comb(total - a, b - n), math.comb(total, b))
            mean += n / total * math.log(n * total / (a * b)) * float(chance)
    assert total == 0 or _expected_information(table) == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("most", [5, 60, 4000])
def test_the_information_expected_by_chance_of_large_tables_is_that_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    counts = np.random.default_rng(most).integers(0, most, (4, 30))
    expected = expected_mutual_information(csr_array(counts), int(counts.sum()))
    assert _expected_information(counts) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    whole = _expected_information(counts)
    monkeypatch.setattr(dependence, "JOINT_CELLS", 7)
    assert _expected_information(counts) == pytest.approx(whole, rel=1e-12), "in parts"


def test_a_column_by_chance_has_no_information_above_chance() -> None:
    """Although its plain information is not 0, since tiles of a slide are alike."""
    values = ("a", "b") * 6
    found = [
        column_information(planted(0, seed), "scanner", values, subjects=SUBJECTS, seed=seed) for seed in range(30)
    ]
    assert np.mean([d.nmi for d in found]) > 0.005
    assert abs(np.mean([d.adjusted for d in found])) < 0.003
    assert np.mean([d.p <= 0.05 for d in found]) <= 0.1


def test_a_column_that_decides_is_found() -> None:
    found = column_information(planted(0.9), "stain", ("CD31",) * 6 + ("HE",) * 6, subjects=SUBJECTS)
    assert found.adjusted > 0.2 and found.p < 0.01 and found.reason == ""


def test_the_same_seed_gives_the_same_figures() -> None:
    values = ("a", "b", "c") * 4
    assert dependences(planted(0.2), {"site": values}, subjects=SUBJECTS) == dependences(
        planted(0.2), {"site": values}, subjects=SUBJECTS
    )


def test_slides_of_a_subject_keep_its_value_by_chance_too() -> None:
    """Two subjects of six slides each: whatever their groups, no assignment is rarer than another."""
    subjects, groups = ("s1",) * 6 + ("s2",) * 6, ("case",) * 6 + ("control",) * 6
    found = column_information(planted(0.9), "group", groups, subjects=subjects)
    assert "each group has one subject" in found.reason
    four = tuple(f"s{i // 3}" for i in range(12))
    assert column_information(planted(0.9), "group", groups, subjects=four).p > 0.3


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("HE",) * 12, "there is one stain, HE"),
        (("",) * 12, "no slide has a value of stain"),
        (tuple(map(str, range(12))), "each stain has one slide"),
    ],
)
def test_where_there_is_nothing_to_say_the_reason_is(values: tuple[str, ...], reason: str) -> None:
    found = column_information(planted(0), "stain", values, subjects=SUBJECTS)
    assert found.reason.startswith(reason) and np.isnan(found.nmi)


def test_one_slide_and_one_cluster_say_nothing() -> None:
    assert slide_information(np.array([[5], [7]])).reason == "there is one slide"
    assert slide_information(np.array([[5, 7]])).reason == "there is one cluster"


def test_slides_without_a_value_are_left_out() -> None:
    values = ("a", "b", "") * 4
    assert column_information(planted(0), "scanner", values, subjects=SUBJECTS).slides == 8


def test_the_least_p_counts_the_ways_to_divide_the_slides() -> None:
    """Four slides fall into two pairs in three ways; six into one and five in six."""
    counts = planted(0)
    assert column_information(
        counts[:, :4], "stain", ("a", "a", "b", "b"), subjects=("",) * 4
    ).least_p == pytest.approx(1 / 3)
    assert column_information(counts[:, :6], "stain", ("a",) * 5 + ("b",), subjects=("",) * 6).least_p == pytest.approx(
        1 / 6
    )


def test_of_the_subject_slides_are_permuted() -> None:
    """Each subject has its own value: permuted over subjects, nothing could ever be said of them."""
    counts = planted(0.9)
    subjects = ("p1",) * 3 + ("p2",) * 3 + ("p3",) * 6
    found = column_information(counts, "subject", subjects, subjects=subjects)
    assert not found.reason and found.values == 3 and found.adjusted > 0 and found.p < 0.05
    two = column_information(counts[:, 4:7], "subject", subjects[4:7], subjects=subjects[4:7])
    assert not two.reason and two.slides == 3 and two.least_p == pytest.approx(1 / 3)
    alone = column_information(counts[:, ::3], "subject", tuple("abcd"), subjects=tuple("abcd"))
    assert alone.reason == "each subject has one slide, so that the subject cannot be told from the slide"
    site = column_information(counts, "site", [{"p3": "B"}.get(s, s) for s in subjects], subjects=subjects)
    assert site.reason == "each site has one subject, so that the site cannot be told from the subject"


def test_a_thousand_subjects_of_several_slides_need_little_memory() -> None:
    """An array of slides x subjects, for each of some permutations, would be of gigabytes."""
    counts = np.random.default_rng(0).integers(0, 9, (3, 2000))
    subjects = [f"p{slide // 2}" for slide in range(2000)]
    tracemalloc.start()
    try:
        found = column_information(counts, "subject", subjects, subjects=subjects)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert not found.reason and found.values == 1000 and abs(found.adjusted) < 0.05

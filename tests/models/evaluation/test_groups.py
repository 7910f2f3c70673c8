"""Groups are compared on subjects: few false findings where there is no difference, and planted ones are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from tile_engine.models.evaluation.groups import centred_log_ratios, compare_groups, subject_shares

GROUPS = ("case",) * 16 + ("control",) * 16
SUBJECTS = tuple(f"s{i // 2}" for i in range(32))


def planted(seed: int, factor: float = 1.0) -> np.ndarray:
    """Tiles (4 clusters, 32 slides of 16 subjects): every subject has its mixture; cases have `factor` times of cluster 1."""
    draw = np.random.default_rng(seed)
    mixtures = np.repeat(draw.dirichlet((8, 6, 4, 2), 16), 2, axis=0)
    mixtures[:16, 0] *= factor
    return np.stack([draw.multinomial(400, m / m.sum()) for m in mixtures], 1)


def test_without_a_difference_few_comparisons_find_any() -> None:
    """At most 5 % of 200 draws find any cluster at q <= 0.05; a test over tiles would find one in nearly all of them."""
    found = [compare_groups(planted(s), GROUPS, subjects=SUBJECTS) for s in range(200)]
    assert np.mean([min(d.q for d in c.differences) <= 0.05 for c in found]) <= 0.05


def test_a_planted_difference_is_found_with_its_size() -> None:
    """Three times as much of cluster 1: its log-ratio over the other clusters' grows by log 3, over all by 3/4 of that."""
    found = [compare_groups(planted(s, 3.0), GROUPS, subjects=SUBJECTS) for s in range(20)]
    first = [c.differences[0] for c in found]
    assert np.mean([d.q <= 0.05 for d in first]) >= 0.8
    effects = [d.effects[0] for d in first]
    truth = 3.0**-0.75  # controls against cases
    assert np.exp(np.mean([np.log(e.ratio) for e in effects])) == pytest.approx(truth, rel=0.15)
    assert np.mean([e.low <= truth <= e.high for e in effects]) >= 0.85
    assert first[0].means[0] > first[0].means[1]


def test_the_interval_is_that_of_welch() -> None:
    counts = planted(1, 2.0)
    found = compare_groups(counts, GROUPS, subjects=SUBJECTS)
    subject = np.arange(32) // 2
    ratios = centred_log_ratios(*subject_shares(counts, subject))
    known = ttest_ind(ratios[8:, 2], ratios[:8, 2], equal_var=False).confidence_interval()
    effect = found.differences[2].effects[0]
    assert (np.log(effect.low), np.log(effect.high)) == (pytest.approx(known.low), pytest.approx(known.high))


def test_three_groups_have_an_effect_a_pair() -> None:
    groups = tuple("abc"[i // 2 % 3] for i in range(32))
    found = compare_groups(planted(0), groups, subjects=SUBJECTS)
    assert found.subjects == (6, 5, 5)
    assert [e.pair for e in found.differences[0].effects] == [(0, 1), (0, 2), (1, 2)]


def test_slides_of_one_subject_count_once() -> None:
    counts = np.array([[80, 40, 10], [20, 60, 90]])
    shares, tiles = subject_shares(counts, np.array([0, 0, 1]))
    assert shares.tolist() == [pytest.approx([0.6, 0.4]), pytest.approx([0.1, 0.9])] and tiles.tolist() == [200, 100]


def test_zeros_are_replaced_and_ratios_of_the_others_stay() -> None:
    ratios = centred_log_ratios(np.array([[0.6, 0.4, 0.0]]), np.array([100]))[0]
    assert ratios.sum() == pytest.approx(0) and ratios[0] - ratios[1] == pytest.approx(np.log(1.5))
    assert ratios[2] - ratios[0] == pytest.approx(np.log(0.0065 / (0.6 * 0.9935)))


def test_a_group_of_two_subjects_is_left_out_and_said() -> None:
    counts = planted(0)
    groups = ("small",) * 4 + ("case",) * 12 + ("control",) * 14 + ("", "")
    found = compare_groups(counts, groups, subjects=SUBJECTS)
    assert found.groups == ("case", "control") and found.subjects == (6, 7)
    assert found.left_out == (
        "slides without a group or without tiles: 2",
        "group small, with 2 of the 3 subjects that a comparison needs",
    )


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        (("",) * 32, "no slide has a group"),
        (("a",) * 32, "there is one group"),
        (("a",) * 4 + ("b",) * 28, "fewer than two groups have 3 subjects"),
        (("a", "b") * 16, "subjects with slides in more than one group: 16, such as s0"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(groups: tuple[str, ...], reason: str) -> None:
    found = compare_groups(planted(0), groups, subjects=SUBJECTS)
    assert found.reason.startswith(reason) and found.differences == ()


def test_slides_without_a_subject_are_subjects() -> None:
    assert compare_groups(planted(0), GROUPS, subjects=("",) * 32).subjects == (16, 16)

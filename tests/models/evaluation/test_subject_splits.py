"""Splits by subject: nobody on two sides, labels as frequent in each part, and an error that says what is too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import SettingsError
from tile_engine.models.evaluation.subject_splits import repeated_folds, subject_groups, subject_split


def cohort(subjects: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One to four films a subject; a third of the subjects are ill, and some have films of both labels."""
    draw = np.random.default_rng(seed)
    member = np.repeat(np.arange(subjects), draw.integers(1, 5, subjects))
    ill = (np.arange(subjects) % 3 == 0)[member]
    labels = np.where(draw.random(len(member)) < 0.05, ~ill, ill).astype(int)
    order = draw.permutation(len(member))
    return labels[order], np.array([f"p{m}" for m in member])[order]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(12, 90))
def test_parts_share_no_subject_and_hold_every_film_once(seed: int, subjects: int) -> None:
    labels, names = cohort(subjects, seed)
    split = subject_split(labels, names, seed=seed)
    parts = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    people = [set(names[part]) for part in parts]
    assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def test_parts_have_their_shares_and_the_whole_s_labels() -> None:
    labels, names = cohort(300)
    split = subject_split(labels, names)
    for part, share in ((split.train, 0.6), (split.validation, 0.15), (split.test, 0.25)):
        assert len(part) / len(labels) == pytest.approx(share, abs=0.03)
        assert labels[part].mean() == pytest.approx(labels.mean(), abs=0.04)


def test_a_seed_gives_the_same_split_and_another_one_another() -> None:
    labels, names = cohort()
    first, again, other = (subject_split(labels, names, seed=seed).test.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_each_repeat_tests_every_film_once_without_a_shared_subject() -> None:
    labels, names = cohort()
    splits = list(repeated_folds(labels, names, folds=4, repeats=2, validation=0.25, seed=3))
    assert [(s.repeat, s.fold) for s in splits] == [(r, f) for r in range(2) for f in range(4)]
    for repeat in range(2):
        tests = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tests) == list(range(len(labels)))
    assert splits[0].test.tolist() != splits[4].test.tolist()
    for s in splits:
        assert not set(names[s.test]) & set(names[np.concatenate([s.train, s.validation])])
        assert not set(names[s.train]) & set(names[s.validation])
        assert labels[s.test].mean() == pytest.approx(labels.mean(), abs=0.08)
        assert len(np.unique(labels[s.validation])) == 2


def test_without_a_validation_share_there_is_no_validation_part() -> None:
    labels, names = cohort()
    assert all(not len(s.validation) for s in repeated_folds(labels, names, validation=0.0))


def test_a_label_of_too_few_subjects_is_refused() -> None:
    """Six films of label 1, of two people: five folds would put one of them on both sides."""
    labels, names = np.repeat([0, 1], [20, 6]), np.concatenate([np.arange(20), np.repeat([100, 101], 3)])
    with pytest.raises(SettingsError, match="label 1 has 2 subjects in 6 films, and 5 are needed") as caught:
        list(repeated_folds(labels, names, folds=5))
    assert caught.value.code == "E_FEW_SUBJECTS"
    with pytest.raises(SettingsError, match="two labels or more"):
        subject_split(np.zeros(9, int), np.arange(9))


def test_a_subject_of_both_labels_counts_for_the_rarer_one() -> None:
    labels, names = np.array([0, 0, 0, 0, 1, 1, 0]), np.array([1, 2, 3, 4, 5, 6, 6])
    assert [[rows.tolist() for rows in members] for members in subject_groups(labels, names, 2)] == [
        [[0], [1], [2], [3]],
        [[4], [5, 6]],
    ]


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(SettingsError, match="sum to 1"):
        subject_split(np.arange(9) % 2, np.arange(9), shares=(0.5, 0.2, 0.2))


def test_subjects_with_films_of_every_label_serve_all_labels() -> None:
    labels, subjects = np.arange(24) % 2, np.arange(24) // 2
    for split in repeated_folds(labels, subjects, folds=3, seed=1):
        parts = (split.train, split.validation, split.test)
        assert all(labels[rows].mean() == 0.5 for rows in parts)
        assert sum(len(set(subjects[rows])) for rows in parts) == 12

"""Classes shuffled by subject: counts stay, subjects of one class stay of one class, and a leak shows."""

from __future__ import annotations

import numpy as np

from tile_engine.models.evaluation.shuffled import shuffled_accuracy, shuffled_by_subject


def test_counts_and_unknown_classes_stay() -> None:
    classes = np.array([0, 1, 2, 0, 1, 2, -1, 0, 0])
    subjects = np.array(list("aaabbbbcd"))
    mixed = shuffled_by_subject(classes, subjects, np.random.default_rng(0))
    assert np.array_equal(np.bincount(mixed + 1), np.bincount(classes + 1)) and mixed[6] == -1


def test_a_subject_of_one_class_stays_of_one_class() -> None:
    classes, subjects = np.repeat(np.arange(20) % 2, 3), np.repeat(np.arange(20), 3)
    draws = [shuffled_by_subject(classes, subjects, np.random.default_rng(i)) for i in range(10)]
    assert all((d.reshape(20, 3) == d.reshape(20, 3)[:, :1]).all() for d in draws)
    assert len({tuple(d) for d in draws}) > 5


def test_a_subject_of_every_site_keeps_every_site() -> None:
    classes, subjects = np.tile(np.arange(4), 6), np.repeat(np.arange(6), 4)
    mixed = shuffled_by_subject(classes, subjects, np.random.default_rng(0))
    assert (np.sort(mixed.reshape(6, 4), 1) == np.arange(4)).all() and not np.array_equal(mixed, classes)


def test_shuffled_accuracy_compares_with_the_true_classes() -> None:
    classes = np.arange(40) % 2
    guess = classes.copy()
    figures = shuffled_accuracy(
        lambda c: float((c == guess).mean()), classes, np.arange(40), draws=39, source=np.random.default_rng(0)
    )
    assert abs(figures.mean - 0.5) < 0.06 and figures.p == 1 / 40 and figures.sd > 0

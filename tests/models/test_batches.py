"""Batches: no repeats, every case its turn, and classes as even as was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.batches import Stratified

LABELS = np.array([0] * 80 + [1] * 20)


@pytest.mark.parametrize(("even", "wanted"), [(1.0, [10, 10]), (0.0, [16, 4]), (0.5, [13, 7])])
def test_classes_are_as_even_as_asked_for(even: float, wanted: list[int]) -> None:
    batches = Stratified(LABELS, 20, 0, "test", even=even)
    for index in range(12):
        assert np.bincount(LABELS[batches[index]]).tolist() == wanted


def test_every_case_has_its_turn_and_none_twice_in_a_batch() -> None:
    batches = Stratified(LABELS, 20, 0, "test")
    seen = np.concatenate([batches[index] for index in range(8)])
    assert np.unique(seen).size == 100
    assert all(np.unique(batches[index]).size == 20 for index in range(8))


def test_a_rare_class_gives_all_it_has_and_the_others_the_rest() -> None:
    labels = np.array([0] * 50 + [1] * 50 + [2] * 2)
    assert np.bincount(labels[Stratified(labels, 30, 0, "test")[3]]).tolist() == [14, 14, 2]


def test_unknown_classes_fill_half_of_a_batch_at_most() -> None:
    labels = np.array([-1] * 90 + [0] * 5 + [1] * 5)
    batch = labels[Stratified(labels, 16, 0, "test")[0]]
    assert [(batch == label).sum() for label in (-1, 0, 1)] == [8, 4, 4]
    few = np.array([-1] * 10 + [0] * 45 + [1] * 45)
    assert (few[Stratified(few, 20, 0, "test")[0]] == -1).sum() == 2
    assert len(Stratified(np.full(9, -1), 4, 0, "test")[1]) == 4

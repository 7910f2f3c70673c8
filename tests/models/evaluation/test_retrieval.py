"""Retrieval and agreement: figures by hand, an oracle, and subjects that are never their own neighbours."""

from __future__ import annotations

import importlib.util
from math import log2
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tile_engine.models.evaluation.agreement import Spread, kmeans_agreement, matched_classes
from tile_engine.models.evaluation.cases import LabelledCases
from tile_engine.models.evaluation.retrieval import ranks, retrieval

GALLERY = LabelledCases(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1]))


def planted(count: int, seed: int, spread: float = 1.5) -> LabelledCases:
    draw = np.random.default_rng(seed)
    classes = (draw.random(count) < 0.3).astype(int)
    return LabelledCases(draw.normal(0, spread, (count, 5)) + 2 * classes[:, None], classes)


def test_figures_by_hand() -> None:
    query = LabelledCases(np.array([[-0.1]]), np.array([0]))  # nearest first: 0 1 0 1
    found = retrieval(GALLERY, query, at=(1, 2, 3))
    assert [found[f"precision@{k}"] for k in (1, 2, 3)] == pytest.approx([1.0, 0.5, 2 / 3])
    assert [found[f"recall@{k}"] for k in (1, 2, 3)] == pytest.approx([0.5, 0.5, 1.0])
    assert found["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["ndcg"] == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3)))


def test_macro_figures_weigh_classes_alike() -> None:
    query = LabelledCases(np.array([[-1.0], [-2.0], [9.0]]), np.array([0, 0, 0]))
    other = LabelledCases(np.vstack([query.embeddings, [[0.9]]]), np.array([0, 0, 0, 1]))
    found = retrieval(GALLERY, other, at=(1,))
    assert found["precision@1"] == pytest.approx(3 / 4)
    assert found["macro_precision@1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["top1_macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_a_subject_is_never_its_own_neighbour() -> None:
    codes = np.array([[0.0], [0.1], [5.0], [5.2], [0.3]])
    subjects = np.array(["a", "a", "b", "b", "c"])
    cases = LabelledCases(codes, np.array([0, 0, 1, 1, 1]), subjects)
    order, counts = ranks(cases, cases)
    assert counts.tolist() == [3, 3, 3, 3, 4]
    assert [subjects[row] for row in order[:, 0]] == ["c", "c", "c", "c", "a"]
    found = retrieval(cases, cases, at=(1, 5))
    assert found["precision@1"] == pytest.approx(2 / 5)  # without the rule, 4 of 5 would find themselves
    # a, a: nothing alike is left of another subject; the means are of those that could be found
    assert found["recall@5"] == pytest.approx(1.0)


def test_cases_alone_are_left_out_of_their_own_gallery() -> None:
    cases = planted(40, 3)
    order, counts = ranks(cases, cases)
    assert counts.tolist() == [39] * 40
    assert all(order[i, -1] == i for i in range(40))


def test_unknown_classes_are_neither_asked_nor_found() -> None:
    gallery, query = planted(60, 1), planted(20, 2)
    more = LabelledCases(
        np.vstack([query.embeddings, gallery.embeddings]), np.concatenate([np.full(20, -1), gallery.classes])
    )
    asked = LabelledCases(
        np.vstack([query.embeddings, query.embeddings + 9]), np.concatenate([query.classes, np.full(20, -1)])
    )
    assert retrieval(more, asked) == retrieval(gallery, query)


def test_three_classes_have_the_mean_of_their_areas() -> None:
    draw = np.random.default_rng(0)
    classes = np.arange(90) % 3
    cases = LabelledCases(classes[:, None] * 10.0 + draw.normal(0, 1, (90, 4)), classes)
    assert retrieval(cases, cases)["knn_auc"] == 1.0


def test_matching_gives_the_rest_no_class() -> None:
    classes, clusters = np.array([0, 0, 0, 1]), np.array([7, 7, 8, 9])
    assert matched_classes(classes, clusters).tolist() == [0, 0, -1, 1]


def test_planted_clusters_agree_and_noise_does_not() -> None:
    apart = kmeans_agreement(planted(200, 1, 0.3), planted(80, 2, 0.3), seeds=3)
    assert apart["ari"] == Spread(1.0, 0.0) and apart["balanced_accuracy"].mean == 1.0
    noise = LabelledCases(np.random.default_rng(0).normal(size=(200, 5)), planted(200, 1).classes)
    assert abs(kmeans_agreement(noise, noise, seeds=3)["ari"].mean) < 0.1


def test_spread_of_values() -> None:
    assert Spread.of([1.0, 2.0, 3.0]) == Spread(2.0, 1.0)
    assert Spread.of([4.0]) == Spread(4.0, 0.0)


@pytest.fixture
def oracle(data: Path) -> ModuleType:
    """A plain program beside the data that measures the same, where there is one."""
    path = data.parent / "tools" / "retrieval_metrics.py"
    if not path.exists():
        pytest.skip(f"no other program to compare with at {path}")
    spec = importlib.util.spec_from_file_location("oracle", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_figures_as_another_program(oracle: ModuleType) -> None:
    gallery, query = planted(150, 5), planted(60, 6)
    wanted = oracle.retrieval(gallery.embeddings, gallery.classes, query.embeddings, query.classes)
    found = retrieval(gallery, query)
    for k in (1, 5, 10):
        assert found[f"precision@{k}"] == pytest.approx(wanted[f"P@{k}"])
        assert found[f"macro_precision@{k}"] == pytest.approx(wanted[f"macroP@{k}"])
    assert found["map"] == pytest.approx(wanted["mAP"])
    assert found["macro_map"] == pytest.approx(wanted["macromAP"])
    assert found["knn_auc"] == pytest.approx(wanted["knn10_auc"])
    wanted = oracle.clustering(gallery.embeddings, query.embeddings, query.classes, gallery.classes, seeds=range(3))
    agreed = kmeans_agreement(gallery, query, seeds=3)
    names = {"acc": "accuracy", "bacc": "balanced_accuracy", "ari": "ari", "nmi": "nmi"}
    for theirs, ours in names.items():
        assert agreed[ours].mean == pytest.approx(wanted[f"km_test_{theirs}"])

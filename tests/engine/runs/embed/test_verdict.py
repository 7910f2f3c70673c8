"""The first sentence says whether volumes group by their class, beside chance and principal components."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.engine.runs.embed.documents import Evaluation, Figure, FoldSize
from tile_engine.engine.runs.embed.evaluate import COMPONENTS
from tile_engine.engine.runs.embed.verdict import NEAREST, below_chance, headline


def figure(mean: float | None, low: float | None = None, high: float | None = None, folds: int = 3) -> Figure:
    return Figure(mean=mean, sd=0.1 if folds else None, low=low, high=high, folds=(mean,) * folds)


def document(figures: dict[str, Figure], **changes: Any) -> Evaluation:
    folds = {f"fold-{i}": FoldSize(trained=8, judged=4) for i in (1, 2, 3)}
    methods = {"onga": figures, COMPONENTS: {NEAREST: figure(0.55), "rmse %": figure(7.5)}}
    known = {"folds": folds, "by_subject": True, "classes": {"F": 4, "M": 8}, "methods": methods}
    return Evaluation.model_construct(**{**known, **changes})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (figure(0.9, 0.8, 1.0), "Volumes group by sex: "),
        (figure(0.6, 0.4, 0.8), "Whether volumes group by sex is not told for certain: "),
        (figure(0.45, 0.3, 0.6), "Volumes do not group by sex more than by chance: "),
        (figure(0.9), "Whether volumes group by sex is not told for certain, of so few folds: "),
    ],
)
def test_the_interval_decides_beside_chance_and_a_baseline(found: Figure, said: str) -> None:
    text = headline(document({NEAREST: found}), "onga", "sex")
    assert text.startswith(said) and "of 12 volumes (mean over 2 classes; chance 50 %" in text
    assert "principal components of as many numbers 55 %" in text


def test_columns_that_are_told_are_named_and_chance_is_not() -> None:
    probes = {
        "scanner AUC": figure(0.9, 0.7, 1.0, 0),
        "age r": figure(0.2, -0.2, 0.5, folds=0),
        "weight r": figure(0.5, 0.1, 0.8, folds=0),
        "weight mean absolute error": figure(3.0, 2.0, 4.0, folds=0),
        "hand AUC": figure(0.6, 0.4, 0.8, 0),
    }
    text = headline(document({NEAREST: figure(0.9, 0.8, 1.0), **probes}), "onga", "sex")
    assert (
        "They also tell scanner (area under the curve 0.90) and weight (correlation 0.50)." in text
        and "age" not in text
        and "hand" not in text
    )
    none = headline(document({NEAREST: figure(0.9, 0.8, 1.0), "age r": figure(0.2, folds=0)}), "onga", "sex")
    assert "The other column that was tried cannot be told." in none


def test_without_classes_or_folds_that_is_said() -> None:
    text = headline(document({"rmse %": figure(5.0)}, classes={}, by_subject=False), "onga", "label")
    assert "names no two classes in a column label" in text and "5 % of the range" in text and "7.5 %" in text
    assert text.endswith("There are no folds: these are volumes that the network was trained on.")


def test_only_volumes_with_a_class_are_counted_and_a_sentence_follows_another_after_one_blank() -> None:
    folds = {"all": FoldSize(trained=12, judged=12, classed=9)}
    known = {NEAREST: figure(0.45, 0.3, 0.6), "age r": figure(0.9, 0.8, 1.0, folds=0)}
    text = headline(document(known, folds=folds, by_subject=False), "onga", "sex")
    assert "of 9 volumes (mean" in text and "Embeddings tell age (correlation 0.90). There are no folds" in text
    alone = headline(document({NEAREST: figure(0.45, 0.3, 0.6)}, by_subject=False), "onga", "sex")
    assert "  " not in alone


def test_intervals_below_chance_are_named_as_those_of_too_few_subjects() -> None:
    probes = {
        "hand AUC": figure(0.2, 0.1, 0.4, 0),
        "age r": figure(-0.5, -0.8, -0.1, 0),
        "site AUC": figure(0.4, 0.2, 0.6, 0),
    }
    assert below_chance({NEAREST: figure(0.1, 0.0, 0.2), **probes}) == ["hand AUC", "age r"]

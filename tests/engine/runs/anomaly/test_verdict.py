"""The first sentence says whether the score finds anything, by its interval, and where that cannot be known."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.engine.runs.anomaly.documents import Detected, Evaluation, Score
from tile_engine.engine.runs.anomaly.verdict import headline


def document(detected: Detected | None, **changes: Any) -> Evaluation:
    score = Score(detected=detected, single=None, by_label={}, tone={}, threshold=None)
    known = {
        "judged": 40,
        "subjects": 30,
        "unseen": True,
        "normal": "healthy",
        "shown": "pasted",
        "labels": {"healthy": 40},
    }
    return Evaluation.model_construct(**{**known, "scores": {"pasted": score}, **changes})


def detected(auroc: float, low: float | None, high: float | None) -> Detected:
    return Detected(auroc=auroc, low=low, high=high, auprc=None, auprc_low=None, auprc_high=None)


@pytest.mark.parametrize(
    ("area", "said"),
    [
        ((0.9, 0.8, 0.95), "more than chance."),
        ((0.55, 0.45, 0.65), "no more than chance as far as can be told."),
        ((0.3, 0.2, 0.4), "less than chance: it is turned round."),
        ((0.9, None, None), "films of so few subjects cannot tell whether that is more than chance."),
    ],
)
def test_the_interval_decides(area: tuple[float, float | None, float | None], said: str) -> None:
    text = headline(document(detected(*area)), "films", "films")
    assert said in text and text.startswith("Of a film labelled healthy and one with another label")
    assert text.endswith("Judged on 40 films of 30 subjects that were not trained on.")


def test_images_without_a_label_are_not_counted_where_an_area_is_given() -> None:
    known = document(detected(0.9, 0.8, 0.95), labels={"": 15, "healthy": 20, "tumour": 5}, labelled_subjects=19)
    assert headline(known, "films", "films").endswith(
        "Judged on 25 films of 19 subjects (15 more have no label) that were not trained on."
    )


def test_without_labels_nothing_is_judged() -> None:
    text = headline(document(None, unseen=False, normal=""), "slides", "tiles")
    assert text.startswith("40 slides of 30 subjects were scored by how unlike the tiles") and "cannot be told" in text

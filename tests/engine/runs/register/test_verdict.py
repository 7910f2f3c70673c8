"""The first sentence counts what was registered, and says how near landmarks lie, or that nothing tells it."""

from __future__ import annotations

from tile_engine.engine.runs.register.documents import AllFigures, Evaluation, PairFigures
from tile_engine.engine.runs.register.verdict import headline
from tile_engine.engine.steps.sections.documents import PairRecord

PAIRS = [PairRecord.model_construct(accepted=a, moved=m) for a, m in ((True, True), (True, False), (False, False))]


def test_pairs_are_counted_and_landmarks_are_held_against_before() -> None:
    figures = AllFigures(
        pairs=2, average_median=0.01, median_median=0, average_mean=0, average_largest=0, average_robustness=1
    )
    pairs = {key: PairFigures.model_construct(median_before=before) for key, before in (("a", 0.04), ("b", 0.06))}
    text = headline(PAIRS, 1, Evaluation.model_construct(pairs=pairs, all=figures))
    assert text.startswith(
        "1 of 3 sections of 1 block was registered to the reference of their block; 1 was left as it lies, as no stage was "
        "better on tissue held out."
    )
    assert "at 1.00 % of the diagonal from their place, 5.00 % before (median of a pair, mean over 2 pairs)" in text


def test_without_landmarks_the_eye_judges() -> None:
    text = headline(PAIRS[:1], 2, Evaluation.model_construct(pairs={}, all=None))
    assert text.startswith("1 of 1 sections of 2 blocks was registered") and "There are no landmarks" in text

"""The first sentence says how near versions come to real scans, and whether the site is still told."""

from __future__ import annotations

from typing import Any

from tile_engine.engine.runs.harmonize.judge import IDENTITY, OURS
from tile_engine.engine.runs.harmonize.judgement import Comparison, Judgement, MethodFigures, SiteFigure, Spread
from tile_engine.engine.runs.harmonize.verdict import headline


def method(ssim: float | None, accuracy: float | None, low: float | None = None) -> MethodFigures:
    pairs = {} if ssim is None else {"SSIM head": Spread(mean=ssim, sd=None, subjects={"a": ssim, "b": ssim})}
    told = SiteFigure(accuracy=accuracy, low=low, high=1.0, balanced=accuracy, chance=0.5, scans=12)
    return MethodFigures.model_construct(pairs=pairs, classifiers={"texture": told})


def said(ours: MethodFigures, before: MethodFigures, p: float | None = None, difference: float = 0.1) -> str:
    tested = Comparison(other=IDENTITY, subjects=2, difference=difference, better=2, p=p, p_corrected=p)
    comparisons = {} if p is None else {"SSIM head": (tested,)}
    known: dict[str, Any] = {"sources": ("A",), "target": "B", "subjects_scored": 10, "comparisons": comparisons}
    return headline(Judgement.model_construct(methods={OURS: ours, IDENTITY: before}, **known), "volumes", 6)


def test_versions_are_held_against_the_same_people_and_the_site() -> None:
    text = said(method(0.9, 0.6, 0.4), method(0.8, 0.95, 0.9), 0.01)
    assert text.startswith("6 volumes of A have a version as of B.")
    nearer = "They are nearer to the same people's scans there: SSIM head 0.900, as they were 0.800"
    assert f"{nearer} (2 people; better for 2 of 2, p 0.01)." in text
    assert "The site cannot be told for certain any more: a classifier of texture names it for 60 % of 12 scans" in text
    unsure = said(method(0.9, 0.8, 0.4), method(0.8, 0.7, 0.3))
    assert "Whether the site can be told is not certain, before or after" in unsure
    worse = said(method(0.7, 0.9, 0.8), method(0.8, 0.95, 0.9), 0.02, -0.1)
    assert "They are farther from" in worse and "The site can still be told" in worse
    new = said(method(0.7, 0.9, 0.8), method(0.8, 0.6, 0.4))
    assert "The site can be told of the versions, which was not certain before: " in new


def test_means_alone_make_no_version_nearer() -> None:
    for p in (0.5, None):
        text = said(method(0.8502, 0.6, 0.4), method(0.8501, 0.95, 0.9), p)
        assert "Whether they are nearer to the same people's scans there is not certain: SSIM head 0.850" in text
    one = method(0.9, 0.6, 0.4)
    one.pairs["SSIM head"].subjects.pop("b")
    assert "(1 person; better for 2 of 2, p 0.5)" in said(one, method(0.8, 0.95, 0.9), 0.5)


def test_what_was_not_judged_is_said() -> None:
    text = said(method(None, None), method(None, None))
    assert "Nobody has scans at both sites" in text and "could not be judged" in text

"""What the report says of slides that are stained differently, and of those whose stain cannot be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.runs.cluster import stains
from tile_engine.engine.runs.cluster.stains import Stains, stain_cautions

TARGET = SimpleNamespace(slide="a.svs")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(*groups: int, listed: tuple[str, ...] = (), target: Any = None, apart: Any = "apart") -> list[str]:
        names = "abcdefgh"[: len(groups)]
        stain = dict(zip(names, listed or [""] * len(names), strict=True))
        records = {i: SimpleNamespace(name=f"{i}.svs", column=lambda name, i=i: stain[i]) for i in names}
        found = Stains(groups=dict(zip(names, groups, strict=True)))
        monkeypatch.setattr(stains, "target_of", lambda job: target)
        monkeypatch.setattr(stains, "read_document", lambda folder, name, model: found)
        job: Any = SimpleNamespace(folder=None, slides=records, pipeline=SimpleNamespace(apart=apart))
        return [f"{c.headline} {c.text}" for c in stain_cautions(job)]

    return of


def test_stains_that_differ_are_named_unless_the_list_names_one(said: Any) -> None:
    [caution] = said(1, 2, 1)
    assert "2 different stains" in caution and "a.svs, c.svs; b.svs" in caution and "--normalize" in caution
    [caution] = said(1, 2, 1, target=TARGET)
    assert "normalised to a.svs" in caution
    assert said(1, 2, 1, listed=("HE", "HE", "HE")) == said(1, 1, 1) == []


def test_one_run_of_several_stains_by_the_list_is_always_said(said: Any) -> None:
    [caution] = said(1, 1, 1, listed=("HE", "PAS", "HE"))
    assert "in 2 stains, and are clustered together" in caution and "HE: a.svs, c.svs; PAS: b.svs" in caution
    assert "In another folder" in caution
    [caution] = said(1, 1, listed=("HE", ""), apart=None)
    assert "not named: b.svs" in caution and "networks that were trained on one stain" in caution


def test_slides_whose_stain_cannot_be_told_are_named(said: Any) -> None:
    [caution] = said(1, 0, 1)
    assert "The stain of 1 slides cannot be told" in caution and "all the same: b.svs" in caution
    assert said(0, 0) == said(1, 0, listed=("HE", "HE")) == []  # fluorescence, or a list that says it


def test_a_slide_whose_stain_cannot_be_told_is_not_normalised(said: Any) -> None:
    [caution] = said(0, 1, listed=("HE", "HE"), target=TARGET)
    assert caution.startswith("The stains of 1 slides are not normalised") and caution.endswith(": a.svs.")

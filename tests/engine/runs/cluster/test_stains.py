"""What the report says of slides that are stained differently, and of those whose stain cannot be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.runs.cluster import stains
from tile_engine.engine.runs.cluster.stains import Stains, stain_cautions


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(*groups: int, listed: str = "", unchanged: tuple[str, ...] = (), target: Any = None) -> list[str]:
        names = "abcdefgh"[: len(groups)]
        records = {i: SimpleNamespace(name=f"{i}.svs", column=lambda name: listed) for i in names}
        found = Stains(groups=dict(zip(names, groups, strict=True)), unchanged=unchanged)
        monkeypatch.setattr(stains, "target_of", lambda job: target)
        monkeypatch.setattr(stains, "read_document", lambda folder, name, model: found)
        job: Any = SimpleNamespace(folder=None, slides=records)
        return [f"{c.headline} {c.text}" for c in stain_cautions(job)]

    return of


def test_stains_that_differ_are_named_unless_the_list_names_them(said: Any) -> None:
    [caution] = said(1, 2, 1)
    assert "2 different stains" in caution and "a.svs, c.svs; b.svs" in caution and "--normalize" in caution
    [caution] = said(1, 2, 1, target=SimpleNamespace(slide="a.svs"))
    assert "normalised to a.svs" in caution
    assert said(1, 2, 1, listed="HE") == said(1, 1, 1) == []


def test_slides_whose_stain_cannot_be_told_are_named(said: Any) -> None:
    [caution] = said(1, 0, 1)
    assert "The stain of 1 slides cannot be told" in caution and "all the same: b.svs" in caution
    assert said(0, 0) == said(1, 0, listed="HE") == []  # fluorescence, or a list that says it
    [caution] = said(0, 0, listed="HE", unchanged=("b", "removed"))
    assert caution.startswith("The stains of 1 slides are not normalised.") and caution.endswith(": b.svs.")

"""How a query from a file is stained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.search import query_stain as module
from tile_engine.engine.search.query_stain import query_stain
from tile_engine.engine.steps.source_stain import TooLittle


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "fingerprint", lambda path: path.name)
    monkeypatch.setattr(module, "slide_stain", lambda job, slide: f"profile of {slide}")
    return SimpleNamespace(slides={"a-1": SimpleNamespace(fingerprint="a.svs")})


def test_a_slide_of_the_run_has_the_profile_that_the_run_has(job: Any) -> None:
    assert query_stain(job, Path("/elsewhere/a.svs"), None) == ("profile of a-1", ())  # type: ignore[arg-type]


def test_a_crop_without_a_profile_is_not_normalised_and_that_is_said(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "source_stain", lambda source: TooLittle(0.2))
    profile, [note] = query_stain(job, Path("crop.png"), None)  # type: ignore[arg-type]
    assert profile is None and "less than 4 mm² of stained tissue: 0.2 mm²" in note and "not normalised" in note

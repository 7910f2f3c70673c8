"""A table that holds a sample of the tiles says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.images.modality import SLIDES
from tile_engine.engine.steps import table


def job(monkeypatch: pytest.MonkeyPatch, *counts: int) -> Any:
    monkeypatch.setattr(table, "looked_at", lambda job, slide: counts[slide])
    return SimpleNamespace(slides=dict(enumerate(counts)), modality=SLIDES)


def test_a_table_of_more_than_two_million_tiles_says_how_many_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    (section,) = table.sampled_section(job(monkeypatch, 1_500_000, 900_000))
    assert "2,000,000 of 2,400,000 tiles, a sample balanced over slides" in section.text[0]
    assert not table.sampled_section(job(monkeypatch, 1_500_000, 500_000))

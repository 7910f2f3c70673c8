"""The progress file carries what a long unit has to say to the user, also when the unit is short."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.progress import Event, ProgressFile
from tile_engine.engine.runtime.loop import watched


def test_a_notice_is_reported_once_as_a_warning(tmp_path: Path) -> None:
    told: list[Event] = []
    job: Any = SimpleNamespace(
        folder=SimpleNamespace(out=tmp_path), pipeline=SimpleNamespace(stage_of=lambda name: "train")
    )
    step: Any = SimpleNamespace(progress=True, name="autoencoder")
    (tmp_path / "receipts").mkdir()
    with watched(job, step, title="train", report=told.append):
        file = ProgressFile(tmp_path)
        file.warn("begins anew")
        file.tell("autoencoder", 1, 2, {"loss": 1.0})
    assert [(event.kind, event.text) for event in told if event.kind == "warning"] == [("warning", "begins anew")]
    assert not file.path.exists()


def test_trainings_of_one_unit_count_as_one(tmp_path: Path) -> None:
    """Else the second begins at nothing, and the time that is left grows beyond all bounds."""
    told = []
    for part in range(2):
        file = ProgressFile(tmp_path, part=part, parts=2)
        file.every = 0.0
        for done in range(1, 4):
            file.tell("autoencoder", done, 3, {})
            told.append((file.look()["done"], file.look()["total"]))
    assert told == [(done, 6) for done in range(1, 7)]


def test_slow_steps_count_for_more_of_the_work(tmp_path: Path) -> None:
    shares = []
    for around in ({"after": 4, "work": (0.0, 0.2)}, {"before": 4, "work": (0.2, 1.0)}):
        file = ProgressFile(tmp_path, **around)  # type: ignore[arg-type]
        file.every = 0.0
        for done in (2, 4):
            file.tell("light", done, 4, {})
            shares.append(file.look()["share"])
    assert shares == pytest.approx([0.1, 0.2, 0.6, 1.0])


def test_a_short_training_behind_a_long_one_goes_on_where_that_ended(tmp_path: Path) -> None:
    told = []
    for steps, around in ((4, {"after": 2}), (2, {"before": 4})):
        file = ProgressFile(tmp_path, **around)
        file.every = 0.0
        for done in range(1, steps + 1):
            file.tell("light", done, steps, {})
            told.append((file.look()["done"], file.look()["total"]))
    assert told == [(done, 6) for done in range(1, 7)]

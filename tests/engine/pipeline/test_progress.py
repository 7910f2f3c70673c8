"""The progress file carries what a long unit has to say to the user, also when the unit is short."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.progress import Event, ProgressFile
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime import dispatch, loop
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.loop import watched
from tile_engine.engine.runtime.perform import Summary
from tile_engine.engine.runtime.signals import Stop
from tile_engine.engine.workers.pool import WorkerPool


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


def test_a_notice_that_the_receipt_keeps_too_is_told_once(
    finished: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told while the unit is in progress, or with its summary, whichever is first."""
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    step = job.pipeline.steps["autoencoder"]

    def perform(out: Path, unit: Unit) -> Summary:
        ProgressFile(out).warn("trains slowly")
        return Summary(unit, notices=("trains slowly",))

    monkeypatch.setattr(dispatch, "perform", perform)
    shutil.rmtree(job.folder.out / "receipts" / step.name)
    told: list[Event] = []
    loop._do(job, step, loop.RunContext(WorkerPool(map, 1, ""), told.append, Stop(), 60))
    assert [event.text for event in told if event.kind == "warning"] == ["trains slowly"]


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

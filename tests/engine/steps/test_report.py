"""What a report says of the run that makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.pipeline.documents import RunDocument, StepRecord, write_run
from tile_engine.engine.runs import pipeline
from tile_engine.engine.steps.report import stage_times
from tile_engine.stores.folder import Folder

SECONDS = {"read": 1.0, "compute": 2.0, "write": 3.0}


def times(folder: Path, begun_run: Callable[..., RunDocument], unfinished: str, **steps: str) -> list[str]:
    """Titles of the steps that a report lists, of a run whose steps have these states."""
    records: dict[str, Any] = {
        name: StepRecord(fingerprint="", status=status, seconds=SECONDS, wall=4.0)  # type: ignore[arg-type]
        for name, status in steps.items()
    }
    write_run(Folder(folder), begun_run(steps=records))
    job: Any = SimpleNamespace(folder=Folder(folder), pipeline=pipeline("cluster", "slides"))
    found = stage_times(job, unfinished=unfinished)
    assert all((time.read, time.compute, time.write, time.wall) == (1.0, 2.0, 3.0, 4.0) for time in found)
    return [time.stage for time in found]


@pytest.mark.parametrize("status", ["running", "complete"])  # complete: the report is made again by a repair
def test_no_report_lists_its_own_step(tmp_path: Path, begun_run: Callable[..., RunDocument], status: str) -> None:
    found = times(tmp_path, begun_run, "report", pixels="complete", table="complete", report=status)
    assert found == ["convert", "table"]


def test_a_step_that_is_not_finished_has_no_time_yet(tmp_path: Path, begun_run: Callable[..., RunDocument]) -> None:
    assert times(tmp_path, begun_run, "report", pixels="complete", table="running") == ["convert"]

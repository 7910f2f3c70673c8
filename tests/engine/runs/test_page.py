"""What a report says of the run that makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.runs import pipeline
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.report import stage_times
from tile_engine.stores.folder import Folder

REPORTS = {"page": ("cluster", "slides", "table"), "review": ("embed", "volumes", "cases")}
"""Step that makes a report -> its run, the run's images, and the step before it."""


def facts(status: str, wall: float) -> dict[str, object]:
    seconds = {"read": 1.0, "compute": 2.0, "write": 3.0}
    return {"fingerprint": "", "status": status, "seconds": seconds, "wall": wall}


def job_of(mini: Any, folder: Path, report: str, steps: dict[str, object]) -> Any:
    """A job of the run that makes the report, whose run.json says how far the steps are."""
    run, images, _ = REPORTS[report]
    document = json.loads((mini.out / "run.json").read_text()) | {"command": run, "variant": images, "steps": steps}
    (folder / "run.json").write_text(json.dumps(document))
    return replace(load(mini.out), folder=Folder(folder, images), pipeline=pipeline(run, images))


@pytest.mark.parametrize("report", ["page", "review"])
@pytest.mark.parametrize("status", ["running", "complete"])  # complete: the report is made again by a repair
def test_no_report_lists_its_own_step(mini: Any, tmp_path: Path, report: str, status: str) -> None:
    *_, before = REPORTS[report]
    steps = {"pixels": facts("complete", 4.0), before: facts("complete", 5.0), report: facts(status, 0.0)}
    job = job_of(mini, tmp_path, report, steps)
    assert [(time.read, time.compute, time.write, time.wall) for time in stage_times(job, unfinished=report)] == [
        (1.0, 2.0, 3.0, 4.0),
        (1.0, 2.0, 3.0, 5.0),
    ]


def test_a_step_that_is_not_finished_has_no_time_yet(mini: Any, tmp_path: Path) -> None:
    job = job_of(mini, tmp_path, "page", {"pixels": facts("complete", 4.0), "table": facts("running", 5.0)})
    assert len(stage_times(job, unfinished="page")) == 1

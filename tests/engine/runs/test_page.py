"""What a report says of the run that makes it."""

from __future__ import annotations

import pytest

from tile_engine.engine.steps.report import stage_times


def facts(status: str, wall: float) -> dict[str, object]:
    return {"status": status, "seconds": {"read": 1.0, "compute": 2.0, "write": 3.0}, "wall": wall}


@pytest.mark.parametrize("report", ["page", "review"])
@pytest.mark.parametrize("status", ["running", "complete"])  # complete: the report is made again by a repair
def test_no_report_lists_its_own_step(report: str, status: str) -> None:
    run = {"steps": {"pixels": facts("complete", 4.0), "table": facts("complete", 5.0), report: facts(status, 0.0)}}
    assert [(time.read, time.compute, time.write, time.wall) for time in stage_times(run, unfinished=report)] == [
        (1.0, 2.0, 3.0, 4.0),
        (1.0, 2.0, 3.0, 5.0),
    ]


def test_a_step_that_is_not_finished_has_no_time_yet() -> None:
    run = {"steps": {"pixels": facts("complete", 4.0), "table": facts("running", 5.0)}}
    assert len(stage_times(run, unfinished="page")) == 1

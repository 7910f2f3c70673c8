"""Meanwhile: units of later steps are done beside one long unit, and what is not done is left to their own steps."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime import dispatch, meanwhile
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.loop import RunContext, run_stages
from tile_engine.engine.runtime.meanwhile import done_meanwhile
from tile_engine.engine.runtime.perform import Summary, perform
from tile_engine.engine.runtime.signals import Stop
from tile_engine.engine.workers.pool import WorkerPool
from tile_engine.errors import MachineError

Perform = Callable[[Path, Unit], Summary]


class Begun:
    """A run whose map stage is to be done again, and the units that are begun."""

    def __init__(self, job: Any) -> None:
        self.job, self.layout = job, job.pipeline.steps["layout"]
        self.receipts: Path = job.folder.out / "receipts"
        for name in ("layout", *self.layout.meanwhile):
            shutil.rmtree(self.receipts / name)
        self.units = [unit.name for name in self.layout.meanwhile for unit in job.pipeline.steps[name].units(job)]
        self.begun: list[str] = []
        self.last = threading.Event()

    def noted(self, perform: Perform) -> Perform:
        def performed(out: Path, unit: Unit) -> Summary:
            self.begun.append(unit.name)
            try:
                return perform(out, unit)
            finally:
                if unit.name == self.units[-1]:
                    self.last.set()

        return performed


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def run(finished: Callable[[str, str], Any], tmp_path: Path) -> Begun:
    return Begun(load(finished("cluster", "slides").copy(tmp_path / "out")))


def test_later_steps_are_done_while_the_unit_of_the_umap_runs(run: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the last of them, which would never come in one thread; their own steps then find them done."""
    maps = run.job.folder.out / "maps"
    drawn = {path: path.read_bytes() for path in maps.rglob("*") if path.is_file()}
    monkeypatch.setattr(meanwhile, "perform", run.noted(perform))

    def slow(out: Path, unit: Unit) -> Summary:
        assert unit.step != "layout" or run.last.wait(60)
        return perform(out, unit)

    monkeypatch.setattr(dispatch, "perform", slow)
    run_stages(run.job, ["map"], RunContext(WorkerPool(map, 1, "this process"), lambda event: None, Stop(), 60))
    assert run.begun == run.units
    assert drawn == {path: path.read_bytes() for path in drawn}
    assert not (run.receipts / "attempt-beside.json").exists()


def test_a_unit_that_fails_is_left_to_its_own_step(run: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a line says so, which is no warning: no result is another for it."""

    def fail(out: Path, unit: Unit) -> Summary:
        raise MachineError("memory ran out", "E_MEMORY")

    def reject(out: Path, unit: Unit) -> Summary:
        return Summary(unit, rejected=("E_UNIT_FAILED", "KeyError: 'x'"))

    for performed, code in ((fail, "E_MEMORY"), (reject, "E_UNIT_FAILED")):
        told = list[Event]()
        run.begun.clear()
        monkeypatch.setattr(meanwhile, "perform", run.noted(performed))
        with done_meanwhile(run.job, run.layout, 60, lambda: False, report=told.append):
            _wait(lambda: bool(run.begun))
        assert run.begun == run.units[:1]
        assert not (run.receipts / "attempt-beside.json").exists()
        text = f"match clusters failed beside UMAP ({code}) and is tried again in its turn: see log.txt"
        assert [(event.kind, event.text) for event in told] == [("note", text)]


def test_none_is_begun_where_the_run_stops_or_the_process_died_at_it_or_memory_is_short(
    run: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meanwhile, "perform", run.noted(lambda out, unit: Summary(unit)))
    with done_meanwhile(run.job, run.layout, 60, lambda: True):
        pass
    with done_meanwhile(run.job, run.job.pipeline.steps["table"], 60, lambda: False):
        pass
    assert not run.begun
    died = f"labels/{run.units[2]}"
    (run.receipts / "attempt-beside.json").write_text(json.dumps([died]))
    with done_meanwhile(run.job, run.layout, 60, lambda: False):
        _wait(lambda: len(run.begun) >= 2)
    assert run.begun == run.units[:2], "what comes behind it may need it"
    assert json.loads((run.receipts / "attempt-beside.json").read_text()) == [died]
    monkeypatch.setattr(meanwhile, "available_memory", lambda: meanwhile.LEAST_MEMORY - 1)
    run.begun.clear()
    with done_meanwhile(run.job, run.layout, 60, lambda: False):
        time.sleep(0.05)
    assert not run.begun


def test_a_unit_ends_with_the_run_and_one_that_hangs_is_left_behind(
    run: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended, release = threading.Event(), threading.Event(), threading.Event()

    def endless(out: Path, unit: Unit) -> Summary:
        begun.set()
        try:
            while not release.is_set():
                time.sleep(0.01)
        finally:
            ended.set()
        return Summary(unit)

    monkeypatch.setattr(meanwhile, "perform", endless)
    with pytest.raises(KeyboardInterrupt), done_meanwhile(run.job, run.layout, 60, lambda: False):
        assert begun.wait(60)
        raise KeyboardInterrupt
    assert ended.is_set() and not (run.receipts / "attempt-beside.json").exists()
    begun.clear()
    told = list[Event]()
    with done_meanwhile(run.job, run.layout, 0.05, lambda: False, report=told.append):
        assert begun.wait(60)
    assert [event.kind for event in told] == ["note"] and "it is left behind" in told[0].text
    release.set()

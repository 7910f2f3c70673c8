"""Beside: units of the step that follows run in a second thread between those of the step, and end with the run."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime import beside, dispatch
from tile_engine.engine.runtime.beside import Followers, Leader, follower_of, forget_died
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.loop import RunContext, run_stages
from tile_engine.engine.runtime.perform import Summary
from tile_engine.engine.runtime.signals import Stop
from tile_engine.engine.workers.pool import WorkerPool
from tile_engine.errors import MachineError

HERE = WorkerPool(map, 1, "this process")
UNITS = [
    Unit("pixels", "a/0", "a"),
    Unit("pyramid", "a/p", "a"),
    Unit("pixels", "b/0", "b"),
    Unit("pixels", "c/0", "c"),
]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "receipts").mkdir()
    return tmp_path


def test_a_unit_of_another_step_is_done_beside_the_others(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs the next unit to have begun, which would never be in one thread."""
    begun, threads = threading.Event(), {}

    def perform(out: Path, unit: Unit) -> Summary:
        threads[unit.name] = threading.get_ident()
        if unit.name == "b/0":
            begun.set()
        assert unit.step == "pixels" or begun.wait(60)
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", perform)
    done = [summary.unit for summary in dispatch.answers(out, UNITS, HERE, 60, Leader("pixels"))]
    assert sorted(u.name for u in done) == sorted(u.name for u in UNITS)
    assert threads["a/0"] == threads["b/0"] != threads["a/p"] and not list((out / "receipts").iterdir())


def test_without_a_named_step_units_are_done_one_by_one_in_order(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "perform", lambda out, unit: Summary(unit))
    assert [summary.unit for summary in dispatch.answers(out, UNITS, HERE, 60)] == UNITS


def test_a_unit_beside_ends_when_the_run_stops(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def perform(out: Path, unit: Unit) -> Summary:
        try:
            while unit.step == "pyramid":
                begun.set()
                time.sleep(0.01)
        finally:
            if unit.step == "pyramid":
                stopped.set()
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", perform)
    summaries = dispatch.answers(out, UNITS, HERE, 60, Leader("pixels"))
    assert [next(summaries).unit.name, next(summaries).unit.name] == ["a/0", "b/0"]
    assert (out / "receipts" / "attempt-beside.json").exists() and begun.wait(60)
    summaries.close()
    assert stopped.is_set() and not list((out / "receipts").iterdir()), "it is tried again as if it had not begun"


def test_an_error_beside_ends_the_run_and_a_unit_over_its_limit_is_isolated(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(out: Path, unit: Unit) -> Summary:
        if unit.step == "pyramid":
            raise MachineError("memory ran out", "E_MEMORY")
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", fail)
    with pytest.raises(MachineError, match="memory ran out"):
        list(dispatch.answers(out, UNITS, HERE, 60, Leader("pixels")))
    release = threading.Event()

    def hang(out: Path, unit: Unit) -> Summary:
        if unit.step == "pyramid":
            release.wait()
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", hang)
    monkeypatch.setattr(dispatch, "in_isolation", lambda out, limit, unit: Summary(unit, amount=7))
    found = {s.unit.name: s.amount for s in dispatch.answers(out, UNITS, HERE, 0.3, Leader("pixels"))}
    release.set()
    assert found["a/p"] == 7 and len(found) == len(UNITS)


def test_a_follower_stands_behind_the_last_unit_of_its_image_and_one_that_is_done_is_left_out(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    pixels = job.pipeline.steps["pixels"]
    pyramid = job.pipeline.follower(pixels)
    assert pyramid is job.pipeline.steps["pyramid"] and job.pipeline.follower(pyramid) is None
    first, second, *_ = job.slides

    def order() -> list[tuple[str, str]]:
        followers = Followers(job, pixels, pyramid)
        found = []
        for unit in followers.among(pixels.units(job)):
            found.append((unit.step, unit.slide))
            if unit.step == "pixels":
                followers.count(unit)
        return found

    assert {step for step, _ in order()} == {"pixels"}, "all are done"
    shutil.rmtree(job.folder.out / "receipts" / "pyramid" / first)
    found = order()
    assert [entry for entry in found if entry[0] == "pyramid"] == [("pyramid", first)]
    assert found.index(("pyramid", first)) == found.index(("pixels", second)) - 1


def test_no_unit_is_begun_beside_others_once_the_run_stops(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "perform", lambda out, unit: Summary(unit))
    stopping: list[bool] = []
    leader = Leader("pixels", is_stopping=lambda: bool(stopping))
    done = []
    for summary in dispatch.answers(out, UNITS, HERE, 60, leader):
        done.append(summary.unit.name)
        stopping.append(True)
    assert done == ["a/0", "b/0", "c/0"]


def test_a_unit_that_has_ended_is_not_interrupted_when_the_run_stops(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def perform(out: Path, unit: Unit) -> Summary:
        if unit.step == "pyramid":
            ended.set()
        elif unit.name == "b/0":
            assert ended.wait(60)
            time.sleep(0.1)  # its answer is there
            raise MachineError("memory ran out", "E_MEMORY")
        return Summary(unit)

    interrupted: list[bool] = []
    monkeypatch.setattr(dispatch, "perform", perform)
    monkeypatch.setattr(beside.UnitThread, "interrupt", lambda thread: interrupted.append(thread.answered))
    with pytest.raises(MachineError):
        list(dispatch.answers(out, UNITS, HERE, 60, Leader("pixels")))
    assert not any(interrupted) and not list((out / "receipts").iterdir())


def test_a_unit_over_its_limit_is_isolated_at_once_and_others_are_done_beside(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    units = [*UNITS, Unit("pyramid", "b/p", "b"), Unit("pixels", "d/0", "d"), Unit("pixels", "e/0", "e")]

    def perform(out: Path, unit: Unit) -> Summary:
        if unit.name == "a/p":
            release.wait()
        elif unit.step == "pixels":
            time.sleep(0.4 if unit.name == "b/0" else 0.0)
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", perform)
    monkeypatch.setattr(dispatch, "in_isolation", lambda out, limit, unit: Summary(unit, amount=7))
    found = [s.unit.name for s in dispatch.answers(out, units, HERE, 0.3, Leader("pixels"))]
    release.set()
    assert found[:3] == ["a/0", "b/0", "a/p"] and "b/p" in found


def test_where_the_process_died_the_unit_beside_is_left_to_its_own_step_and_not_blamed(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two was the cause is found as each is tried alone; others are done beside as before."""
    record = out / "receipts" / "attempt-beside.json"
    record.write_text(json.dumps(["pyramid/a/p"]))
    (out / "receipts" / "attempt.json").write_text(json.dumps({"unit": "pixels/b/0", "tries": 1}))
    monkeypatch.setattr(dispatch, "perform", lambda out, unit: Summary(unit))
    monkeypatch.setattr(dispatch, "in_isolation", lambda out, limit, unit: pytest.fail("one death is no proof"))
    units = [*UNITS, Unit("pyramid", "b/p", "b"), Unit("pixels", "d/0", "d")]
    done = [summary.unit.name for summary in dispatch.answers(out, units, HERE, 60, Leader("pixels"))]
    assert sorted(done) == ["a/0", "b/0", "b/p", "c/0", "d/0"]
    assert json.loads(record.read_text()) == ["pyramid/a/p"]
    own = dispatch.answers(out, [UNITS[1]], HERE, 60, Leader("pyramid"))
    assert [summary.unit.name for summary in own] == ["a/p"]
    forget_died(out, "pyramid")
    assert not list((out / "receipts").iterdir())


def test_what_a_unit_beside_is_waited_for_is_told(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()

    def perform(out: Path, unit: Unit) -> Summary:
        assert unit.step == "pixels" or told.wait(60)
        return Summary(unit)

    monkeypatch.setattr(dispatch, "perform", perform)
    found = dispatch.answers(out, UNITS, HERE, 60, Leader("pixels", wait=told.set))
    assert [summary.unit.name for summary in found] == ["a/0", "b/0", "c/0", "a/p"]


def test_nothing_is_done_beside_others_where_the_memory_is_short(
    finished: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("cluster", "slides").out)
    pixels, pyramid = job.pipeline.steps["pixels"], job.pipeline.steps["pyramid"]
    assert follower_of(job, pixels) is pyramid and follower_of(job, pyramid) is None
    assert pyramid.follows is not None
    monkeypatch.setattr(beside, "available_memory", lambda: pyramid.follows(job) - 1)
    assert follower_of(job, pixels) is None


def test_the_step_that_follows_is_told_while_its_last_unit_is_waited_for_and_no_step_is_told_again(
    finished: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    first, _, last = job.slides
    for slide in (first, last):
        shutil.rmtree(job.folder.out / "receipts" / "pyramid" / slide)
    shutil.rmtree(job.folder.out / "receipts" / "pixels" / last)
    told: list[Event] = []
    is_told, perform = threading.Event(), dispatch.perform

    def report(event: Event) -> None:
        told.append(event)
        if event.text == job.pipeline.steps["pyramid"].title:
            is_told.set()

    def slow(out: Path, unit: Unit) -> Summary:
        assert unit.slide != first or unit.step != "pyramid" or is_told.wait(60)
        return perform(out, unit)

    monkeypatch.setattr(dispatch, "perform", slow)
    run_stages(job, ["convert"], RunContext(HERE, report, Stop(), 60))
    progress = [event for event in told if event.kind == "progress"]
    titles = [title for title, _ in groupby(event.text for event in progress)]
    assert titles[-2:] == [job.pipeline.steps[name].title for name in ("pixels", "pyramid")] and len(titles) == len(
        {*titles}
    )
    own = [event for event in progress if event.text == titles[-1]]
    done = [(event.done, event.facts["before"]) for event in own]
    assert done == [(1, 1), (2, 2), (3, 2), (3, 2)], "it never goes back"
    assert not (job.folder.out / "receipts" / "attempt-beside.json").exists()

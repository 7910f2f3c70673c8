"""A unit in a thread of its own: the run obeys time limits and signals, whatever the unit does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime import dispatch
from tile_engine.engine.runtime.perform import Summary
from tile_engine.engine.runtime.unit_thread import OverdueError, UnitThread, any_left_behind
from tile_engine.engine.workers.pool import WorkerPool

BLOCKED = """
import ctypes, os, signal, sys, threading, time
from functools import partial
from tile_engine.engine.runtime.signals import Stop, stoppable
from tile_engine.engine.runtime.unit_thread import UnitThread, any_left_behind
from tile_engine.engine.runtime import signals, unit_thread
signals.DEAF_SECONDS, unit_thread.INTERRUPT_SECONDS = 3.0, 0.3
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)

def blocked():  # signals do not end it
    libc.pthread_mutex_lock(mutex)
    print("blocked", flush=True)
    libc.pthread_mutex_lock(mutex)

with stoppable(Stop(grace=0.2)):
"""


def result_of(thread: UnitThread, work: Callable[[], Any], limit: float) -> Any:
    thread.begin(work)
    return thread.result(limit)


def ended(work: str) -> tuple[int, float]:
    """Exit status after SIGTERM of a process that is blocked in C code, and the seconds that it took."""
    with subprocess.Popen([sys.executable, "-c", BLOCKED + work], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "blocked\n"
            time.sleep(0.1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            return process.wait(60), time.monotonic() - began
        finally:
            process.kill()


def test_sigterm_is_obeyed_while_the_main_thread_is_blocked_in_foreign_code() -> None:
    status, seconds = ended("    blocked()")
    assert status == 143 and seconds < 20


def test_sigterm_is_obeyed_while_a_unit_is_blocked_in_foreign_code() -> None:
    """The main thread unwinds, so that locks are released; the process need not wait for the unit."""
    work = """
    try:
        with UnitThread() as thread:
            thread.begin(blocked); thread.result(60)
    except KeyboardInterrupt:
        os._exit(7 if any_left_behind() else 8)
"""
    assert ended(work)[0] == 7


def test_results_and_errors_come_back_from_one_thread() -> None:
    with UnitThread() as thread:
        seen = [result_of(thread, threading.get_ident, 60) for _ in range(3)]
        assert len({*seen}) == 1 and seen[0] != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            result_of(thread, lambda: 1 / 0, 60)
        assert result_of(thread, lambda: "still there", 60) == "still there"


def test_a_unit_over_its_limit_is_left_behind_and_the_next_one_is_done() -> None:
    release = threading.Event()
    with UnitThread() as thread:
        with pytest.raises(OverdueError):
            result_of(thread, release.wait, 0.05)
        assert any_left_behind()
        assert result_of(thread, lambda: "next", 60) == "next"
    release.set()
    limit = time.monotonic() + 20
    while any_left_behind():
        assert time.monotonic() < limit, "a thread that ends its unit after all ends"
        time.sleep(0.01)


def test_an_interrupt_reaches_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def unit() -> None:
        try:
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            stopped.set()
            raise

    threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), UnitThread() as thread:
        result_of(thread, unit, 60)
    assert stopped.is_set() and not any_left_behind()


def test_an_interrupt_ends_a_thread_whose_unit_has_ended_already() -> None:
    """It waits for the next unit in foreign code, where no exception reaches it."""
    with UnitThread() as thread:
        thread.begin(threading.get_ident)
        ident = thread.result(60)
        thread.interrupt()
        assert not any_left_behind() and ident not in {one.ident for one in threading.enumerate()}
        assert result_of(thread, lambda: "next", 60) == "next"


def test_without_workers_a_unit_over_its_limit_runs_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    hanging, sound, cohort = Unit("convert", "b/1", "b"), Unit("convert", "c/1", "c"), Unit("train", "all")
    asked: list[Any] = []

    def perform(out: Path, unit: Unit) -> Summary:
        if unit is hanging:
            release.wait()
        return Summary(unit, amount=1)

    def isolated(out: Path, limit: float, unit: Unit) -> Summary:
        asked.append((limit, unit))
        return Summary(unit, amount=2)

    (tmp_path / "receipts").mkdir()
    monkeypatch.setattr(dispatch, "perform", perform)
    monkeypatch.setattr(dispatch, "in_isolation", isolated)
    pool = WorkerPool(map, 1, "this process")
    found = list(dispatch.answers(tmp_path, [hanging, sound, cohort], pool, 0.2))
    release.set()
    assert [(s.unit, s.amount) for s in found] == [(hanging, 2), (sound, 1), (cohort, 1)]
    assert asked == [(0.2, hanging)] and not (tmp_path / "receipts" / "attempt.json").exists()

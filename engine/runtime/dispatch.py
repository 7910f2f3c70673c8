"""Dispatch: returns a summary of every unit, even when the process that executes it dies, or when it never ends.

Dask retries a unit on another worker if its worker dies or the unit exceeds its time limit. If retries fail, the unit runs
once more at the end of the step, isolated in its own process (isolate.py), so that no other unit's crash is attributed to it.
Without workers a unit runs in a thread of this process; over its time limit the thread is left behind, and the unit isolated.
Units of a step that follows run in a second one (beside.py).
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import CorruptError, UnfinishedError
from ...stores.files import read_json, write_whole
from ..compute.resources import leave_resources
from ..pipeline.unit import Unit
from ..workers.pool import WorkerPool
from ..workers.window import Died
from .beside import Beside, Leader, attempted_beside, called, died_beside
from .isolate import in_isolation
from .perform import Summary, perform
from .unit_thread import OverdueError, UnitThread

log = logging.getLogger("tile_engine")
ONE_BY_ONE = Leader()
TRIES = 2
"""Crashes of the run's own process at one unit, after which the unit runs isolated in a child process."""


def answers(
    out: Path, units: Iterable[Unit], pool: WorkerPool, limit: float, leader: Leader = ONE_BY_ONE
) -> Generator[Summary, None, None]:
    """The summary of each unit, in any order. `limit`: seconds that a unit of a slide may take on a worker. Without workers,
    units of any other step than that of the `leader`, where it names one, are done beside the others."""
    if pool.client is None:
        with UnitThread() as thread, Beside(partial(_beside, out, limit), leader, died_beside(out)) as beside:
            for summary in pool.map(partial(_here, out, limit, thread), beside.others(units)):
                yield summary
                yield from beside.look()
            yield from beside.rest()
        return
    suspects: list[Died] = []
    for answer in pool.map(partial(_overseen, out, limit), units):
        if isinstance(answer, Died):
            log.warning("workers died at %s of step %s: %s", answer.unit.name, answer.unit.step, answer.reason)
            suspects.append(answer)
        else:
            yield answer
    for died in suspects:
        work = partial(in_isolation, out, limit) if died.unit.slide else partial(perform, out)
        for answer in pool.map(work, [died.unit]):
            if isinstance(answer, Died):
                raise UnfinishedError(
                    f"every worker that ran {died.unit.name} of step {died.unit.step!r} died ({answer.reason}). The usual "
                    "cause is memory: give each worker more, or use fewer on a machine, and run the same command again. "
                    "What was written is safe.",
                    "E_WORKER_DIED",
                )
            yield answer


def _overseen(out: Path, limit: float, unit: Unit) -> Summary:
    """Execute a unit on a worker. A unit over its time limit ends the worker's process; dask then retries it elsewhere."""
    if not unit.slide:
        return perform(out, unit)
    timer = threading.Timer(limit, _give_up, (unit.name, limit))
    timer.daemon = True
    timer.start()
    try:
        return perform(out, unit)
    finally:
        timer.cancel()


def _give_up(name: str, limit: float) -> None:
    sys.stderr.write(f"unit {name} took longer than {limit:.0f} s; this worker ends so that another one can try it.\n")
    faulthandler.dump_traceback()
    os._exit(1)


def _here(out: Path, limit: float, thread: UnitThread, unit: Unit) -> Summary:
    """Execute a unit in the run's own process."""
    with _attempt(out, unit) as deaths:
        if not unit.slide:
            return perform(out, unit)
        if deaths >= TRIES:
            return _isolated(out, limit, unit, f"the process died {deaths} times while this unit was in progress")
        thread.begin(partial(perform, out, unit))
        return _result(out, limit, thread, unit, time.monotonic() + limit)


def _beside(out: Path, limit: float, thread: UnitThread, unit: Unit) -> Generator[Any, None, None]:
    """Begin a unit of a slide in a thread of the run's own process, and yield the time at which it must have ended; then wait
    for it, and yield its summary."""
    with attempted_beside(out, unit):
        thread.begin(partial(perform, out, unit))
        ends = time.monotonic() + limit
        yield ends
        summary = _result(out, limit, thread, unit, ends)
    yield summary


def _result(out: Path, limit: float, thread: UnitThread, unit: Unit, ends: float) -> Summary:
    """The summary of the unit that was begun; one that has not ended by then runs in a child process."""
    try:
        summary: Summary = thread.result(max(0.0, ends - time.monotonic()))
        return summary
    except OverdueError:
        leave_resources()
    return _isolated(out, limit, unit, f"more than {limit:g} s went by")


def _isolated(out: Path, limit: float, unit: Unit, why: str) -> Summary:
    log.warning("%s of step %s: %s; it now runs in a process of its own", unit.name, unit.step, why)
    return in_isolation(out, limit, unit)


@contextmanager
def _attempt(out: Path, unit: Unit) -> Iterator[int]:
    """Record on disk that a unit is being attempted; yields how often the process died at it before."""
    path, name = out / "receipts" / "attempt.json", called(unit)
    try:
        last: Any = read_json(path)
    except (FileNotFoundError, CorruptError):
        last = {}
    tries = last.get("tries") if isinstance(last, dict) and last.get("unit") == name else 0
    deaths = tries if isinstance(tries, int) else 0
    write_whole(path, json.dumps({"unit": name, "tries": deaths + 1}).encode())
    try:
        yield deaths
    finally:
        path.unlink(missing_ok=True)

"""Meanwhile: units of later steps, done in a second thread while a long unit on one core runs that they need nothing of.

```text
|l l l l l l l l l l l l|        the unit of the step, in the run's own thread
|m|b1|b2|p1 p1|p2 p2|p3 p3|      units of later steps, by step: none is begun once the long unit is done
```
They leave the receipts that they always leave. A unit that fails here leaves none: its own step tries it again, and says what
is wrong; here it is a note, and no warning of the run, as no result is another for it. Where the process dies, the unit that
was in progress here is left to its own step as well (see `beside`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ...errors import TileEngineError
from ...stores.receipts import Ledger
from ..compute.machine import available_memory
from ..compute.resources import leave_resources
from ..pipeline.documents import read_run
from ..pipeline.job import Job
from ..pipeline.progress import Event, Report, silent
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from .beside import attempted_beside, called, died_beside
from .perform import perform
from .unit_thread import OverdueError, UnitThread

log = logging.getLogger("tile_engine")

LEAST_MEMORY = 1_000_000_000
"""Bytes of memory that must be free for it: of a picture, and of the long unit."""


@contextmanager
def done_meanwhile(
    job: Job[RunSettings],
    step: Step,
    limit: float,
    is_stopping: Callable[[], bool],
    mark: Callable[..., None] = lambda *_, **__: None,
    report: Report = silent,
) -> Iterator[None]:
    """While the block runs, do units of the steps that `step.meanwhile` names. `limit`: seconds for the last of them to end.

    `mark` notes a later step as begun, so that its outputs are removed where they are to be made anew. What fails is reported
    as a note, once the block is done."""
    if not step.meanwhile or is_stopping():
        yield
        return
    if (free := available_memory()) < LEAST_MEMORY:
        log.info("nothing is done beside %r: %d MB of memory are free", step.title, free // 10**6)
        yield
        return
    for name in step.meanwhile:
        if not read_run(job.folder).is_complete([name]):
            mark(name, "running", {})  # without a begin: the time is that of the long unit
    is_done: list[bool] = []
    with UnitThread() as thread:
        thread.begin(partial(_do_units, job, step, lambda: bool(is_done) or is_stopping()))
        try:
            yield
        except BaseException:
            thread.interrupt()
            raise
        is_done.append(True)
        try:
            failure = thread.result(limit)
        except OverdueError:
            failure = f"what is done beside {step.title!r} took more than {limit:g} s longer: it is left behind"
            log.warning(failure)
            leave_resources()
        if failure:
            report(Event("note", failure))


def _do_units(job: Job[RunSettings], step: Step, is_over: Callable[[], bool]) -> str:
    """Do the units that have no receipt, one by one, until one fails or `is_over`; returns what failed, in words, or ""."""
    out, failed = job.folder.out, ""
    died, doing = died_beside(out), step.title
    try:
        for unit in _units(job, step):
            if is_over() or called(unit) in died:  # what comes after that unit may need it
                break
            doing = job.pipeline.steps[unit.step].title
            with attempted_beside(out, unit):
                if (summary := perform(out, unit)).rejected:
                    failed = summary.rejected[0]
                    log.info("%s of %s, done beside %r: %s", unit.name, doing, step.title, summary.detail)
                    break
    except Exception as error:
        log.info("what was done beside %r is left to its own step", step.title, exc_info=True)
        failed = error.code if isinstance(error, TileEngineError) else type(error).__name__
    return (
        f"{doing} failed beside {step.title} ({failed}) and is tried again in its turn: see log.txt" if failed else ""
    )


def _units(job: Job[RunSettings], step: Step) -> Iterator[Unit]:
    for later in map(job.pipeline.steps.__getitem__, step.meanwhile):
        for unit in later.units(job):
            if Ledger(job.folder.out, later.name, job.ledger_key(later.name, unit.slide)).find(unit.name) is None:
                yield unit

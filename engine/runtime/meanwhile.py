"""Meanwhile: units of later steps, done in a second thread while a long unit on one core runs that they need nothing of.

```text
|l l l l l l l l l l l l|        the unit of the step, in the run's own thread
|m|b1|b2|p1 p1|p2 p2|p3 p3|      units of later steps, by step: none is begun once the long unit is done
```
They leave the receipts that they always leave. A unit that fails here leaves none: its own step tries it again, and says what
is wrong. Where the process dies, the unit that was in progress here is left to its own step as well (see `beside`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ...stores.receipts import Ledger
from ..compute.machine import available_memory
from ..compute.resources import leave_resources
from ..pipeline.documents import read_run
from ..pipeline.job import Job
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
) -> Iterator[None]:
    """While the block runs, do units of the steps that `step.meanwhile` names. `limit`: seconds for the last of them to end.

    `mark` notes a later step as begun, so that its outputs are removed where they are to be made anew."""
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
            thread.result(limit)
        except OverdueError:
            log.warning("what is done beside %r took more than %g s longer: it is left behind", step.title, limit)
            leave_resources()


def _do_units(job: Job[RunSettings], step: Step, is_over: Callable[[], bool]) -> None:
    """Do the units that have no receipt, one by one, until one fails or `is_over`."""
    out = job.folder.out
    died = died_beside(out)
    try:
        for unit in _units(job, step):
            if is_over() or called(unit) in died:  # what comes after that unit may need it
                return
            with attempted_beside(out, unit):
                if perform(out, unit).rejected:
                    return
    except Exception:
        log.info("what was done beside %r is left to its own step", step.title, exc_info=True)


def _units(job: Job[RunSettings], step: Step) -> Iterator[Unit]:
    for later in map(job.pipeline.steps.__getitem__, step.meanwhile):
        for unit in later.units(job):
            if Ledger(job.folder.out, later.name, job.ledger_key(later.name, unit.slide)).find(unit.name) is None:
                yield unit

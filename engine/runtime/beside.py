"""Beside: units of the step that follows, done in a second thread while the run's own goes on with the units of its step.

```text
|s1 s1 s1|s2 s2 s2|s3 s3 s3|      units of a step, by image
         |f1|     |f2|     |f3|   units of its follower: f1 is begun, and taken, between two of the others
```
One unit at a time, as each needs memory of its own. Where the process dies meanwhile, nobody knows which of the two units was
the cause: the one beside is left to its own step, so that each is tried alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import CorruptError
from ...stores.files import read_json, write_whole
from ...stores.receipts import Ledger
from ..compute.machine import available_memory
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from .perform import Summary
from .unit_thread import UnitThread

log = logging.getLogger("tile_engine")


def follower_of(job: Job[RunSettings], step: Step) -> Step | None:
    """The step whose units this process does beside those of `step`; None where there is none, or the memory is short."""
    follower = job.pipeline.follower(step)
    if follower is None or follower.follows is None:
        return None
    need, free = follower.follows(job), available_memory()
    if need <= free:
        return follower
    log.info(
        "%r is not done beside %r: both need about %d MB, and %d MB are free",
        follower.title,
        step.title,
        need // 10**6,
        free // 10**6,
    )
    return None


class Followers:
    """The follower's units whose image has no unit left in the step before."""

    def __init__(self, job: Job[RunSettings], step: Step, follower: Step | None) -> None:
        self._job, self._follower = job, follower
        self._left = Counter(unit.slide for unit in step.units(job)) if follower else Counter()
        self._ready: deque[str] = deque()

    def count(self, unit: Unit) -> None:
        """A unit of the step is done."""
        if self._follower:
            self._left[unit.slide] -= 1
            if not self._left[unit.slide]:
                self._ready.append(unit.slide)

    def among(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """The step's units that remain, and between them the follower's; those at the end are left to their own step."""
        for unit in units:
            while self._follower and self._ready:
                image = self._ready.popleft()
                alone = replace(self._job, slides={image: self._job.slides[image]})
                key = self._job.ledger_key(self._follower.name, image)
                ledger = Ledger(self._job.folder.out, self._follower.name, key)
                yield from (one for one in self._follower.units(alone) if ledger.find(one.name) is None)
            yield unit


@dataclass(frozen=True, slots=True)
class Leader:
    """A step beside whose units those of the step that follows are done."""

    step: str = ""
    """Its name; where it is empty, all units are done one by one."""
    is_stopping: Callable[[], bool] = lambda: False
    """Whether the run stops: no further unit is begun beside others."""
    wait: Callable[[], None] = lambda: None
    """Called where its own units are done, and one beside them is not."""


class Beside:
    """A thread for such units; the thread that made this begins each, and takes its summary. Use it in a `with` statement."""

    def __init__(
        self, attempt: Callable[[UnitThread, Unit], Generator[Any, None, None]], leader: Leader, died: Iterable[str]
    ) -> None:
        """`attempt`: begins a unit in the thread at its first step, which gives the time at which the unit must have ended, and
        gives its summary at the second. `died`: units (`called`) that are left to their own step."""
        self._attempt, self._leader, self._died = attempt, leader, frozenset(died)
        self._thread = UnitThread()
        self._waiting: deque[Unit] = deque()
        self._begun: Generator[Any, None, None] | None = None
        self._ends = 0.0

    def others(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """The units of the leading step, or all where none is named; others wait for the thread."""
        for unit in units:
            if not self._leader.step or unit.step == self._leader.step:
                yield unit
            elif called(unit) not in self._died:
                self._waiting.append(unit)
                self._begin()

    def look(self) -> Iterator[Summary]:
        """The summary of the unit that has ended or is over its time limit, if one is; the next is begun."""
        if self._begun is not None and (self._thread.answered or time.monotonic() >= self._ends):
            yield from self._taken()
        self._begin()

    def rest(self) -> Iterator[Summary]:
        """The summary of the unit that was begun; those that wait are left to their own step."""
        if self._begun is not None and not self._thread.answered:
            self._leader.wait()
        yield from self._taken()

    def _taken(self) -> Iterator[Summary]:
        begun, self._begun = self._begun, None
        if begun is not None:
            yield next(begun)

    def _begin(self) -> None:
        if self._begun is None and self._waiting and not self._leader.is_stopping():
            self._begun = self._attempt(self._thread, self._waiting.popleft())
            self._ends = next(self._begun)

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._begun is not None and not self._thread.answered:  # the run stops
                self._thread.interrupt()
        finally:
            if self._begun is not None:
                self._begun.close()
            self._thread.__exit__(kind, error, trace)


def called(unit: Unit) -> str:
    """A unit by its step and its name."""
    return f"{unit.step}/{unit.name}"


def died_beside(out: Path) -> list[str]:
    """The units (`called`) that were in progress beside others when the run's process died."""
    try:
        names: Any = read_json(out / "receipts" / "attempt-beside.json")
    except (FileNotFoundError, CorruptError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def record_beside(out: Path, names: list[str]) -> None:
    """Keep on disk what `died_beside` returns, should the process die."""
    path = out / "receipts" / "attempt-beside.json"
    if names:
        write_whole(path, json.dumps(names).encode())
    else:
        path.unlink(missing_ok=True)


@contextmanager
def attempted_beside(out: Path, unit: Unit) -> Iterator[None]:
    """Record on disk that a unit is being attempted beside others."""
    died = died_beside(out)
    record_beside(out, [*died, called(unit)])
    try:
        yield
    finally:
        record_beside(out, died)


def forget_died(out: Path, step: str) -> None:
    """Forget the units of a step that is done now."""
    names = died_beside(out)
    others = [name for name in names if not name.startswith(f"{step}/")]
    if others != names:
        record_beside(out, others)

"""Beside: units of the step that follows, done in a second thread while the run's own goes on with the units of its step.

```text
|s1 s1 s1|s2 s2 s2|s3 s3 s3|      units of a step, by image
         |f1|     |f2|     |f3|   units of its follower: f1 is begun, and taken, between two of the others
```
One unit at a time, as each needs memory of its own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

from ...stores.receipts import Ledger
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from .perform import Summary
from .unit_thread import UnitThread


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


class Beside:
    """A thread for such units; the thread that made this begins each, and takes its summary. Use it in a `with` statement."""

    def __init__(self, attempt: Callable[[UnitThread, Unit], Generator[Any, None, None]]) -> None:
        """`attempt`: begins a unit in the thread at its first step, and gives its summary at the second."""
        self._attempt = attempt
        self._thread = UnitThread()
        self._waiting: deque[Unit] = deque()
        self._begun: Generator[Any, None, None] | None = None

    def others(self, step: str, units: Iterable[Unit]) -> Iterator[Unit]:
        """The units of this step, or all where none is named; others wait for the thread."""
        for unit in units:
            if not step or unit.step == step:
                yield unit
            else:
                self._waiting.append(unit)
                self._begin()

    def look(self) -> Iterator[Summary]:
        """The summary of the unit that has ended, if one has; the next is begun."""
        if self._begun is not None and self._thread.answered:
            yield from self.rest()
        self._begin()

    def rest(self) -> Iterator[Summary]:
        """The summary of the unit that was begun; those that wait are left to their own step."""
        begun, self._begun = self._begun, None
        if begun is not None:
            yield next(begun)

    def _begin(self) -> None:
        if self._begun is None and self._waiting:
            self._begun = self._attempt(self._thread, self._waiting.popleft())
            next(self._begun)

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun is not None:  # the run stops
            self._thread.interrupt()
            self._begun.close()
        self._thread.__exit__(kind, error, trace)

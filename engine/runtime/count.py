"""Count: a step's finished units, for its progress and for its record in run.json."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby

from ...stores.receipts import Ledger, Receipt
from ..pipeline.job import Job
from ..pipeline.progress import Event
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from .perform import Summary


class Count:
    """Counts a step's finished units and sums their seconds."""

    def __init__(self, job: Job[RunSettings], step: Step) -> None:
        self._counts_receipts = True
        self._job, self._step, self._stage = job, step, job.pipeline.stage_of(step.name)
        self._began = time.perf_counter()
        self._done = self._before = self._amount = self._total = self._slides = 0
        self.seconds = {"read": 0.0, "compute": 0.0, "write": 0.0}
        for slide, units in groupby(step.units(job), lambda unit: unit.slide):
            self._slides += job.slides[slide].images if slide else 0
            self._total += sum(1 for _ in units)
        self._ledger = lru_cache(maxsize=64)(
            lambda slide: Ledger(job.folder.out, step.name, job.ledger_key(step.name, slide))
        )

    @classmethod
    def of_receipts(cls, job: Job[RunSettings], step: Step) -> Count:
        """A count that begins with all units that are done now; `receipt` does not count them again."""
        count = cls(job, step)
        for unit in step.units(job):
            count.receipt(unit)
        count._counts_receipts = False
        return count

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._began

    def receipt(self, unit: Unit) -> Receipt | None:
        """The receipt of a unit that is done already, which is counted once."""
        receipt = self._ledger(unit.slide).find(unit.name)
        if receipt is not None and self._counts_receipts:
            self._before += 1
            self._count(receipt.seconds)
        return receipt

    def add(self, summary: Summary) -> None:
        self._amount += summary.amount
        self._count(summary.seconds)

    def event(self) -> Event:
        facts: dict[str, object] = {"slides": self._slides, "amount": self._amount, "seconds": self.wall}
        facts["images"] = self._job.modality.plural
        facts["before"] = self._before  # done before the step began: by an earlier attempt, or beside the step before
        return Event("progress", self._step.title, self._stage, self._done, self._total, facts)

    def _count(self, seconds: Mapping[str, float]) -> None:
        self._done += 1
        for name, value in seconds.items():
            self.seconds[name] += value

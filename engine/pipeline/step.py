"""Step: one pass over a run's units, as a value. What a step is stands here, and in no table elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .job import Job
from .outputs import Output
from .unit import Outcome, Unit

Execute = Callable[..., Outcome]
"""(job, unit) -> outcome; of a step with ranks (job, unit, replica), where the first rank's outcome is the unit's."""
Units = Callable[[Job[Any], str], Iterator[Unit]]
"""(job, name of the step) -> its units, always the same ones in the same order."""
Columns = Callable[[Any], tuple[str, ...]]
"""Settings of the run -> names of the columns that the user's list has on each image (see `ImageRecord.column`)."""

ALL_COLUMNS = "*"
"""Stands for every column of the list."""


def once(job: Job[Any], step: str) -> Iterator[Unit]:
    """One unit for the whole cohort."""
    yield Unit(step, step)


def per_image(job: Job[Any], step: str) -> Iterator[Unit]:
    """One unit for each image."""
    for image in job.slides:
        yield Unit(step, f"{image}/{step}", image)


def no_columns(settings: Any) -> tuple[str, ...]:
    return ()


def all_columns(settings: Any) -> tuple[str, ...]:
    return (ALL_COLUMNS,)


@dataclass(frozen=True, slots=True)
class Step:
    """One pass over a run's units; all of a step's units are done before the next step begins."""

    name: str
    title: str
    """What people who watch the run read."""
    execute: Execute
    plan: Units = once
    settings: tuple[str, ...] = ()
    """The settings that decide what it leaves, beyond those of the steps before it."""
    columns: Columns = no_columns
    """The columns of the user's list that decide what it leaves."""
    files: tuple[str, ...] = ()
    """Settings that may name a file, whose content decides what it leaves."""
    outputs: tuple[Output, ...] = ()
    """All that it writes beside its receipts."""
    cohort: bool = False
    """Whether it looks at all images together, so that one more or less changes what it leaves."""
    reads: Literal["source", "image", "stored"] = "stored"
    """The image's own file; its pixels, from the file where the store keeps none; or what earlier steps left."""
    progress: bool = False
    """Whether a unit is long and tells how far it is."""
    ranks: Callable[[Job[Any]], int] | None = None
    """How many workers do a unit together, one rank each; None where always one does."""

    def units(self, job: Job[Any]) -> Iterator[Unit]:
        return self.plan(job, self.name)

    def reads_source(self, job: Job[Any]) -> bool:
        """Whether a unit reads the image's own file."""
        return self.reads == "source" or (self.reads == "image" and job.pixels == "none")


def gang(job: Job[Any]) -> int:
    """As many ranks as the setting `gang` says."""
    return int(job.settings.gang)

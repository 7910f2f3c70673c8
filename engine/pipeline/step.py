"""Step: one pass over a run's units, as a value. Every property of a step is a field here, not in a table elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .outputs import Output
from .record import ALL_COLUMNS, ImageRecord
from .unit import AnyJob, Outcome, Unit

Execute = Callable[..., Outcome]
"""(job, unit) -> outcome; (job, unit, replica) for a step with ranks, whose first rank returns the unit's outcome."""
Units = Callable[[AnyJob, str], Iterator[Unit]]
"""(job, name of the step) -> its units, in a deterministic order."""
Columns = Callable[[Any], tuple[str, ...]]
"""Settings of the run -> names of columns of the user's list (see `ImageRecord.column`)."""


def once(job: AnyJob, step: str) -> Iterator[Unit]:
    """One unit for the whole cohort."""
    yield Unit(step, step)


def per_image(job: AnyJob, step: str) -> Iterator[Unit]:
    """One unit for each image."""
    for image in job.slides:
        yield Unit(step, f"{image}/{step}", image)


def no_columns(settings: Any) -> tuple[str, ...]:
    return ()


def all_columns(settings: Any) -> tuple[str, ...]:
    return (ALL_COLUMNS,)


def whole_key(record: ImageRecord) -> str:
    """Of all that can affect a result."""
    return record.key


@dataclass(frozen=True, slots=True)
class Step:
    """One pass over a run's units; all of a step's units are done before the next step begins, unless that one `follows`."""

    name: str
    title: str
    """Title shown in progress and reports."""
    execute: Execute
    plan: Units = once
    settings: tuple[str, ...] = ()
    """The settings that determine its outputs, beyond those of earlier steps."""
    columns: Columns = no_columns
    """The columns of the user's list that determine its outputs."""
    files: tuple[str, ...] = ()
    """Settings that may name a file whose content determines its outputs."""
    beside: tuple[str, ...] = ()
    """Names of small files beside those, where they exist, whose content determines its outputs too."""
    outputs: tuple[Output, ...] = ()
    """All files that it writes, except its receipts."""
    cohort: bool = False
    """Whether it uses all images together, so that adding or removing an image changes its outputs."""
    key: Callable[[ImageRecord], str] = whole_key
    """Fingerprint of what an image's outputs depend on; a step that uses a part of the image names that part's."""
    reads: Literal["source", "image", "stored"] = "stored"
    """Its input: the image's own file; the image's pixels, from the store or else the file; or outputs of earlier steps."""
    progress: bool = False
    """Whether its unit is long and reports its progress."""
    follows: Callable[[AnyJob], int] | None = None
    """Given where its unit of an image, one for each, needs of the step before it that image's units alone: it is done beside
    those of other images. Bytes of memory that the two need together."""
    meanwhile: tuple[str, ...] = ()
    """Names of later steps of the stage, in their order, that need nothing of this one, and warn of nothing: without workers
    they are done in a second thread while its one unit, which hardly needs more than a core, runs."""
    ranks: Callable[[AnyJob], int] | None = None
    """Number of workers that execute a unit together, one rank each; None where it is always one."""

    def units(self, job: AnyJob) -> Iterator[Unit]:
        return self.plan(job, self.name)

    def reads_source(self, job: AnyJob) -> bool:
        """Whether a unit reads the image's own file."""
        return self.reads == "source" or (self.reads == "image" and job.pixels == "none")


def gang(job: AnyJob) -> int:
    """Number of ranks, from the setting `gang`."""
    return int(job.settings.gang)

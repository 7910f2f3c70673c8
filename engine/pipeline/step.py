"""Step: one pass over a run's units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .job import Job
from .unit import Outcome, Unit

if TYPE_CHECKING:
    from ...models.replica import Share


class Step(Protocol):
    """One pass over a run's units; all of a step's units are done before the next step begins."""

    @property
    def name(self) -> str: ...

    @property
    def fields(self) -> tuple[str, ...]:
        """The settings that decide what it leaves, beyond those of the steps before it."""
        ...

    def units(self, job: Job) -> Iterator[Unit]: ...

    def execute(self, job: Job, unit: Unit) -> Outcome: ...


@runtime_checkable
class Shared(Protocol):
    """A step whose unit several workers can do together, one rank each."""

    def ranks(self, job: Job) -> int: ...

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        """A rank's part of the unit; the first rank's outcome is the unit's."""
        ...


class _OneUnit:
    """A step whose work is one unit."""

    name = ""

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, self.name)


class _Ganged(_OneUnit):
    """A step that one process does, or the ranks of a gang together (see `engine.job.Shared`)."""

    def ranks(self, job: Job) -> int:
        return int(job.settings.gang)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        from ...models.replica import ALONE

        return self.take_part(job, unit, ALONE)

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        raise NotImplementedError


TITLES: Mapping[str, str] = {
    "overview": "overview",
    "pixels": "convert",
    "pyramid": "pyramid and tissue",
    "draw": "draw patches",
    "patches": "read patches",
    "autoencoder": "train autoencoder",
    "codes": "encode views",
    "heads": "train heads",
    "tune": "fine-tune",
    "tiles": "apply",
    "number": "number clusters",
    "labels": "write labels",
    "layers": "write layers",
    "table": "table and UMAP",
    "pictures": "draw maps",
    "page": "report",
    "lineup": "line volumes up",
    "prepare": "prepare volumes",
    "networks": "train networks",
    "encode": "encode volumes",
    "judge": "judge codes",
    "cases": "table and plane",
    "review": "pictures and report",
}
"""What a step is called where people watch it."""

"""Pipeline: a run as the runtime sees it: its steps by stage, what is checked and estimated before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from ...stores.frame import Array
from .command import Command, Variant
from .job import Job
from .modality import Modality
from .record import ImageRecord, InspectedCohort
from .step import Step

if TYPE_CHECKING:
    from ..tiling.plan import Model


class Estimate(Protocol):
    """What a run will take, said before it begins."""

    @property
    def disk(self) -> int:
        """Bytes that OUT will hold, about."""
        ...

    @property
    def present(self) -> int:
        """Bytes that OUT holds already."""
        ...

    @property
    def units(self) -> Mapping[str, int]:
        """Stage -> units of work."""
        ...

    def facts(self) -> dict[str, Any]:
        """JSON values, for programs."""
        ...

    def text(self) -> str:
        """One sentence, for people."""
        ...


Encode = Callable[[Job[Any], Sequence[str]], tuple[list[ImageRecord], Array]]
"""(job, files) -> records and embeddings (n, F), float32, of images that the run does not know."""


@dataclass(frozen=True)
class Pipeline:
    """A command on one kind of images, with all that it takes to do it."""

    command: Command
    variant: Variant
    modality: Modality
    stages: Mapping[str, tuple[Step, ...]]
    """Stage, as a user calls it -> its steps, in order."""
    estimate: Callable[[Job[Any]], Estimate]
    network: str = ""
    """Name of the trained model that `apply` runs over every tile; empty where it does not."""
    model: Callable[[Job[Any]], Model] | None = None
    """What `apply` makes of every tile where that is no trained network."""
    check: Callable[[Job[Any]], None] = lambda job: None
    """Raises SettingsError for what cannot work, before anything is done."""
    caution: Callable[[InspectedCohort], str] = lambda cohort: ""
    """What a user should know of these images before work; empty where there is nothing."""
    encode: Encode | None = None
    """None: the run cannot be searched with new files."""

    @property
    def called(self) -> str:
        """What a user types after `tile-engine run`."""
        return self.command.called(self.variant)

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for steps in self.stages.values() for step in steps}

    @property
    def computes_on_device(self) -> bool:
        """Whether a step of it runs a network, on the device that the setting names."""
        return any("device" in step.settings for step in self.steps.values())

    def stage_of(self, step: str) -> str:
        return next(stage for stage, steps in self.stages.items() if any(s.name == step for s in steps))

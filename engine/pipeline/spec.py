"""Pipeline: a run as the runtime sees it: its steps by stage, and its checks and estimate before work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...stores.frame import Array
from .command import Command, Variant
from .modality import Modality
from .progress import Report
from .record import ImageRecord, InspectedCohort
from .step import Step
from .unit import AnyJob

if TYPE_CHECKING:
    from ...stores.slides.cohort import Cohort
    from ..tiling.plan import Model
    from .documents import StainRun, StainRuns


class Estimate(Protocol):
    """The estimated size of a run, computed before it begins."""

    @property
    def disk(self) -> int:
        """Approximate bytes that OUT will hold."""
        ...

    @property
    def present(self) -> int:
        """Bytes that OUT holds already."""
        ...

    @property
    def units(self) -> Mapping[str, int]:
        """Stage -> number of units."""
        ...

    def facts(self) -> dict[str, Any]:
        """The estimate as JSON values, for programs."""
        ...

    def text(self) -> str:
        """The estimate as one line of text, for users."""
        ...


Encode = Callable[[AnyJob, Sequence[str]], tuple[list[ImageRecord], Array]]
"""(job, files) -> records and embeddings (n, F), float32, of images outside the run."""


@dataclass(frozen=True, slots=True)
class Apart:
    """How a cohort of several stains becomes several runs, one after the other."""

    column: str
    """Column of the list of images that says it; colours decide where there is none."""
    applies: Callable[[Any], bool]
    """Settings -> whether a run for each stain is asked for."""
    decide: Callable[[Cohort, Any, StainRuns | None], StainRuns]
    """(images that were found, settings, earlier decision in the same folder) -> which image is in which run; it may read
    pixels. Raises SettingsError for a list that does not say it of every image."""
    part: Callable[[Cohort, StainRun], tuple[Cohort, Mapping[str, Any]]]
    """(images that were found, one run) -> its images, and the settings that are its own."""
    join: Callable[[Path, StainRuns, Mapping[str, AnyJob]], None]
    """(OUT, the decision, folder of a run -> its job, if it has begun): writes the page that joins their reports."""


@dataclass(frozen=True)
class Pipeline:
    """The implementation of a command on one modality: stages, estimate, checks and model."""

    command: Command
    variant: Variant
    modality: Modality
    stages: Mapping[str, tuple[Step, ...]]
    """Name of the stage, as on the command line -> its steps, in order."""
    estimate: Callable[[AnyJob], Estimate]
    seconds: Callable[[AnyJob, Estimate, Collection[str], int], Mapping[str, float | None]] = (
        lambda job, sizes, names, workers: {}
    )
    """(job, its estimate, steps to do, workers; 0: this process) -> name of a step -> seconds that it takes, None where nobody
    can tell; steps that take moments are left out."""
    network: str = ""
    """Name of the trained model that `apply` runs over every tile; empty where there is none."""
    model: Callable[[AnyJob], Model] | None = None
    """The model that `apply` runs over every tile, where it is not a trained network."""
    check: Callable[[AnyJob], None] = lambda job: None
    """Raises SettingsError for settings or images that cannot work, before any work."""
    check_sampled: Callable[[AnyJob], None] = lambda job: None
    """The same for what the stages behind `convert` need, before any work of a command that does them."""
    check_stored: Callable[[AnyJob, Collection[str]], None] = lambda job, stale: None
    """(job, steps to be done again; of a new run all): raises SettingsError for settings that results in OUT rule out, or that
    no result to come can have; none is removed yet."""
    follow: Callable[[AnyJob, Collection[str], Report], Mapping[str, Any]] = lambda job, unchanged, report: {}
    """(job under changed settings, settings that stay, report): settings among those that mean the same in other words now."""
    caution: Callable[[InspectedCohort], str] = lambda cohort: ""
    """A warning about the cohort's images, shown before work; empty where there is none."""
    encode: Encode | None = None
    """Embeds images from outside the run; None where the run cannot be searched with new files."""
    apart: Apart | None = None
    """How a cohort becomes a run for each stain; None where all images are always one run."""

    @property
    def called(self) -> str:
        """The run's command line, after `tile-engine run`."""
        return self.command.called(self.variant)

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for steps in self.stages.values() for step in steps}

    def follower(self, step: Step) -> Step | None:
        """The next step of the stage, if its units may be done beside those of this one."""
        steps = self.stages[self.stage_of(step.name)]
        return next((b for a, b in pairwise(steps) if a is step and b.follows), None)

    @property
    def computes_on_device(self) -> bool:
        """Whether one of its steps runs a network on the device of the setting `device`."""
        return any("device" in step.settings for step in self.steps.values())

    def stage_of(self, step: str) -> str:
        return next(stage for stage, steps in self.stages.items() if any(s.name == step for s in steps))

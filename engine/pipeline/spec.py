"""Stages: the order of every kind of run's steps, and what decides each. The one table that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..runs import SETTINGS
from ..steps.settings import Common
from .job import Job
from .step import Step


@dataclass(frozen=True, slots=True)
class Kind:
    """A command on one kind of images."""

    command: str
    images: str
    stages: Mapping[str, tuple[Step, ...]]
    """Stage, as a user calls it -> its steps, in order."""
    check: Callable[[Job], None] = lambda job: None
    """Raises SettingsError for what cannot work, before anything is done."""

    @property
    def called(self) -> str:
        """What a user types after `tile-engine run`."""
        return "embed --tile" if self.command == "tiles" else self.command

    @property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for steps in self.stages.values() for step in steps}

    def stage_of(self, step: str) -> str:
        return next(stage for stage, steps in self.stages.items() if any(s.name == step for s in steps))

    @property
    def settings(self) -> type[Common]:
        return SETTINGS[self.command, self.images]

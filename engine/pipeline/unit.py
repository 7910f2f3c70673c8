"""Unit: the work of one task; Outcome: its result."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...stores.array import Written

AnyJob = Any
"""A Job of any run: Job knows its pipeline, hence nothing that a pipeline is made of may know Job."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The work of one task, identified by a few names, so that any worker can execute it."""

    step: str
    """Name of the step (see `Step`)."""
    name: str
    """Name of its receipt; begins with the slide's id where the unit belongs to one slide."""
    slide: str = ""
    start: tuple[int, ...] = ()
    """First cell of its box; empty where it has no box."""


_ADDING = threading.Lock()
"""Guards `seconds`, which several threads of a unit add to. A module variable, as outcomes must be picklable."""


@dataclass(slots=True)
class Outcome:
    """The result of a unit: files, seconds by kind of work, and facts for later stages (JSON values)."""

    files: list[Written] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "compute": 0.0, "write": 0.0})
    facts: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    """What the user should know about the unit's image now; printed as warnings."""
    rejected: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Id, name, reason code and message of each film of the unit's batch that cannot be used; the others are."""
    notes: list[str] = field(default_factory=list)
    """What the user may want to know now; printed, but not where `--quiet` is given."""

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - start})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add to the seconds by kind of work; any thread may."""
        with _ADDING:
            for name, value in seconds.items():
                self.seconds[name] += value

"""Unit: what one task does, and Outcome, what it leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...stores.array import Written


@dataclass(frozen=True, slots=True)
class Unit:
    """What one task does: a few names that any worker can turn into work."""

    step: str
    """Which step of the run (see `Step`)."""
    name: str
    """Of its receipt; begins with the slide's id where the unit belongs to one."""
    slide: str = ""
    start: tuple[int, ...] = ()
    """First cell of its box, where it has one."""


_ADDING = threading.Lock()
"""Several threads of a unit add to its seconds. Of the module, because an outcome must travel between processes."""


@dataclass(slots=True)
class Outcome:
    """What a unit leaves behind: files, where its time went, and facts that later stages need (JSON values)."""

    files: list[Written] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "compute": 0.0, "write": 0.0})
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            with _ADDING:
                self.seconds[name] += time.perf_counter() - start

"""Stopping: the first signal lets the units under way come to their end, for a while; the second one ends the run at once.

Before there are any, the first one does: locks, workers and jobs in a queue are given back either way.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

GRACE = 20.0
"""Seconds that units under way are given: batch systems kill 30 s after they ask."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@dataclass(slots=True)
class Stop:
    """Whether somebody asked the run to end, and how."""

    tell: Callable[[str], None] = lambda text: None
    """Called with a line for people when the first signal comes."""
    grace: float = GRACE
    signal: int = 0
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def requested(self) -> bool:
        return self.signal != 0

    def check(self) -> None:
        """Raises what was asked for: Terminated (exit 143) after SIGTERM, KeyboardInterrupt (exit 130) after Ctrl-C."""
        if self.requested:
            raise Terminated if self.signal == signal.SIGTERM else KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.check()
        self.signal = number
        threading.Thread(target=self._wait, name="stopping", daemon=True).start()

    def _wait(self) -> None:
        """In a thread of its own: a signal's handler may stand in the middle of somebody's line of output."""
        self.tell(f"stopping: work under way is given {self.grace:.0f} s to end; the same signal again stops at once")
        if not self._over.wait(self.grace):
            os.kill(os.getpid(), self.signal)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Within, SIGTERM raises Terminated, as Ctrl-C raises KeyboardInterrupt: without a handler nothing would be given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stoppable(stop: Stop) -> Iterator[None]:
    """Within, SIGTERM and SIGINT ask `stop`; raises what was asked for where the work inside ended before it said so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop._handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
        stop.check()
    finally:
        stop._over.set()
        for number, handler in before.items():
            signal.signal(number, handler)

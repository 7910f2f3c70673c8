"""Stopping: after the first signal, units in progress may finish within a grace period; the second ends the run at once.

Before units start, the first signal ends the run at once. Locks, workers and queued jobs are released in every case.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

STOP_GRACE_SECONDS = 20.0
"""Seconds that units in progress may take to finish: batch systems send SIGKILL 30 s after SIGTERM."""


class Terminated(KeyboardInterrupt):
    """Raised after SIGTERM."""


@dataclass(slots=True)
class Stop:
    """A request to stop the run, and the signal that made it."""

    tell: Callable[[str], None] = lambda text: None
    """Called with one line of text for the user at the first signal."""
    grace: float = STOP_GRACE_SECONDS
    signal: int = 0
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def requested(self) -> bool:
        return self.signal != 0

    def check(self) -> None:
        """Raises Terminated (exit 143) after SIGTERM, KeyboardInterrupt (exit 130) after Ctrl-C."""
        if self.requested:
            raise Terminated if self.signal == signal.SIGTERM else KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.check()
        self.signal = number
        threading.Thread(target=self._wait, name="stopping", daemon=True).start()

    def _wait(self) -> None:
        """Report and wait in a separate thread, as the signal handler may interrupt code that is writing output."""
        self.tell(f"stopping: units in progress have {self.grace:.0f} s to finish; the same signal again stops at once")
        if not self._over.wait(self.grace):
            os.kill(os.getpid(), self.signal)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Context in which SIGTERM raises Terminated, so that locks and workers are released, as they are after Ctrl-C."""
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
    """Context in which SIGTERM and SIGINT set `stop`; its exit raises if a signal came and the work inside did not raise."""
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

"""Stopping: after the first signal, units in progress may finish within a grace period; the second ends the run at once.

Before units start, the first signal ends the run at once. Locks, workers and queued jobs are released in every case but one: if
the main thread does not come back from foreign code after SIGTERM and the grace period, the process ends as it is; the lock of
an ended process is taken over.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

log = logging.getLogger("tile_engine")
STOP_GRACE_SECONDS = 20.0
"""Seconds that units in progress may take to finish: batch systems send SIGKILL 30 s after SIGTERM."""
CTRL_C_GRACE_SECONDS = 3.0
"""The same after Ctrl-C, where a person waits; what a unit loses is done again."""
STOPPING = (signal.SIGTERM, signal.SIGINT)
"""Signals that stop a run."""
DEAF_SECONDS = 5.0
"""Seconds after the grace period in which the main thread must have obeyed SIGTERM."""


class Terminated(KeyboardInterrupt):
    """Raised after SIGTERM."""


@dataclass(slots=True)
class Stop:
    """A request to stop the run, and the signal that made it."""

    tell: Callable[[str], None] = lambda text: None
    """Called with one line of text for the user at the first signal."""
    grace: float = STOP_GRACE_SECONDS
    signal: int = 0
    _handled: bool = False
    _late: bool = False
    """Whether the grace period is over."""
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def requested(self) -> bool:
        return self.signal != 0

    def check(self) -> None:
        """Raises Terminated (exit 143) after SIGTERM, KeyboardInterrupt (exit 130) after Ctrl-C."""
        if self.requested:
            raise Terminated if self.signal == signal.SIGTERM else KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread: the first signal asks, the second one and the end of the grace period raise."""
        self.signal = self.signal or number
        if self._handled or self._late:
            self.check()
        self._handled = True

    def _watch(self, arrivals: socket.socket, other: int) -> None:
        """In a thread: wait for the first signal, report it, and see to it that it is obeyed.

        Python runs a handler in the main thread alone, and not while that is in foreign code; `arrivals` gets a byte at once.
        Signals of other kinds are passed on to the descriptor that was there before.
        """
        begun = False
        with arrivals:
            while some := arrivals.recv(64):
                for number in some:
                    if other >= 0:
                        os.write(other, bytes([number]))
                    if number in STOPPING and not begun:
                        begun, self.signal = True, self.signal or number
                        threading.Thread(target=self._wait, name="stopping", daemon=True).start()

    def _wait(self) -> None:
        grace = self.grace if self.signal == signal.SIGTERM else min(self.grace, CTRL_C_GRACE_SECONDS)
        self.tell(f"stopping: units in progress have {grace:.0f} s to finish; the same signal again stops at once")
        if self._over.wait(grace):
            return
        self._late = True
        os.kill(os.getpid(), self.signal)
        if self.signal == signal.SIGTERM and not self._over.wait(DEAF_SECONDS):
            self.tell("the run does not answer, as code outside of Python holds it: the process ends now")
            log.error("ended by SIGTERM in foreign code; stack of the main thread:\n%s", _main_stack())
            os._exit(128 + signal.SIGTERM)


def _main_stack() -> str:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return "".join(traceback.format_stack(frame)) if frame else ""


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
    before = {number: signal.signal(number, stop._handle) for number in STOPPING}
    arrivals, bell = socket.socketpair()
    bell.setblocking(False)
    other = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=stop._watch, args=(arrivals, other), name="signals", daemon=True).start()
    try:
        yield
        stop.check()
    finally:
        stop._over.set()
        signal.set_wakeup_fd(other)
        bell.close()
        for number, handler in before.items():
            signal.signal(number, handler)

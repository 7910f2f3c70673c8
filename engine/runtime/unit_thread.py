"""UnitThread: does units in a thread of its own, so that a unit that never ends cannot hold the run.

A read from a hanging disk, or from a decoder that loops, cannot be ended from within its process. The thread that waits for it
can go on: it obeys signals and the unit's time limit, and leaves the thread of the unit behind.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

INTERRUPT_SECONDS = 2.0
"""Seconds that a unit has to end after an interrupt, before it is left behind."""
LEFT_BEHIND = "unit left behind"
"""Name of a thread that was left behind."""


class OverdueError(Exception):
    """A unit exceeded its time limit, and was left behind."""


class _InterruptedError(KeyboardInterrupt):
    """Raised in the unit's thread when the thread that waits for it is interrupted."""


class UnitThread:
    """Runs one function after another in one thread; a `with` statement ends the thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._works: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def begin(self, work: Callable[[], Any]) -> None:
        """Begin `work`, whose `result` must be taken before the next one begins."""
        if self._thread is None:
            self._works = queue.SimpleQueue()
            self._thread = threading.Thread(target=_serve, args=(self._works,), name="unit", daemon=True)
            self._thread.start()
        self._answers = queue.SimpleQueue()
        self._works.put((work, self._answers))

    @property
    def answered(self) -> bool:
        """Whether the work that was begun has ended."""
        return not self._answers.empty()

    def result(self, limit: float) -> Any:
        """What the work that was begun returned, or its error. Raises OverdueError after `limit` seconds; an interrupt also
        ends the work."""
        try:
            value, error = self._answers.get(timeout=limit)
        except queue.Empty:
            self._leave_behind()
            raise OverdueError from None
        except BaseException:
            self.interrupt()
            raise
        if error is not None:
            raise error
        return value

    def interrupt(self) -> None:
        """End the work that was begun, and the thread; leave it behind where it does not end."""
        thread = self._thread
        if thread is None or thread.ident is None:
            return
        self._works.put(None)  # one whose work has ended waits for the next, where no exception reaches it
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_InterruptedError))
        try:
            thread.join(INTERRUPT_SECONDS)
        finally:  # a second interrupt ends the waiting
            if thread.is_alive():
                self._leave_behind()
            self._thread = None

    def _leave_behind(self) -> None:
        if self._thread is not None:
            self._thread.name = LEFT_BEHIND
        self._works.put(None)  # if it ever ends its unit, it ends itself
        self._thread = None

    def __enter__(self) -> UnitThread:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._works.put(None)


def _serve(works: queue.SimpleQueue[Any]) -> None:
    try:
        while (task := works.get()) is not None:
            work, answers = task
            try:
                answers.put((work(), None))
            except _InterruptedError:
                return
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                answers.put((None, error))
            del task, work, answers
    except _InterruptedError:  # it came between two units
        return


def any_left_behind() -> bool:
    """Whether a unit was left behind in this process; Python would wait for the threads that read for it before it ends."""
    return any(thread.name == LEFT_BEHIND for thread in threading.enumerate())

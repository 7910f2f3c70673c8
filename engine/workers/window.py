"""Window: units handed to dask one by one from a lazy generator, about two per worker at a time.

The window bounds the memory of scheduler and client. Tasks are never pure (dask must not merge them). Lost workers are an
answer, too: a unit whose workers keep dying comes back as `Died`. Without any worker, or without a scheduler, the run ends
with exit 75.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import UnfinishedError

U = TypeVar("U")
R = TypeVar("R")
FETCH_SECONDS = 60.0
"""Time limit for fetching answers in seconds; dask would wait for an answer that must be computed again."""
UNITS_PER_WORKER = 2
"""Submitted units per worker: one running, one ready."""
WORKERS_BACK_SECONDS = 60.0
"""Seconds to wait for workers after the last one was lost."""


@dataclass(frozen=True, slots=True)
class Died:
    """A unit whose workers ended while they had it, more often than dask allows (`allowed-failures`)."""

    unit: Any
    reason: str


def window(
    client: Any, work: Callable[[U], R], units: Iterable[U], *, patience: float = WORKERS_BACK_SECONDS
) -> Iterator[R | Died]:
    """Answers of `work(unit)` in order of completion; at most two units per worker are submitted.

    Raises UnfinishedError if the scheduler is lost (E_SCHEDULER_LOST) or no worker comes back in time (E_WORKERS_LOST), and
    the error of `work` after its third try.
    """
    stream = iter(units)
    completions: queue.SimpleQueue[Any] = queue.SimpleQueue()
    units_by_future: dict[Any, U] = {}
    watch = _Watch(client, patience)
    more = True
    try:
        while True:
            while more and len(units_by_future) < watch.room:
                try:
                    unit = next(stream)
                except StopIteration:
                    more = False
                    break
                future = client.submit(work, unit, pure=False, retries=2)
                units_by_future[future] = unit
                future.add_done_callback(completions.put)
            if not units_by_future:
                return
            futures = _drain(completions)
            answers = _answers(client, [future for future in futures if future.status == "finished"])
            for future in futures:
                if future in answers:
                    del units_by_future[future]
                    yield answers[future]
                elif future.status == "error":
                    yield _died(future, units_by_future.pop(future))
                elif future.status == "cancelled":
                    raise scheduler_lost(RuntimeError("a unit was cancelled"))
                else:
                    future.add_done_callback(completions.put)
            watch.look()  # last: a lost scheduler shows in the futures first; its workers seem lost as well
    finally:
        if units_by_future and client.status == "running":
            client.cancel(list(units_by_future))


class _Watch:
    """The number of workers, checked once a second."""

    def __init__(self, client: Any, patience: float) -> None:
        self._client, self._patience = client, patience
        self._next, self._seen = 0.0, time.monotonic()
        self.room = UNITS_PER_WORKER
        self.look()

    def look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 1.0
        count = self._workers()
        self.room = UNITS_PER_WORKER * max(1, count)
        if count:
            self._seen = now
        elif now - self._seen > self._patience:
            raise UnfinishedError(
                f"all workers are gone, and none came back within {self._patience:.0f} s. What was written is safe: start "
                "workers, or choose other ones, and run the same command again.",
                "E_WORKERS_LOST",
            )

    def _workers(self) -> int:
        try:
            if self._client.status not in ("running", "connecting"):
                raise OSError(f"the client is {self._client.status}")
            return int(self._client.scheduler_info(n_workers=0).get("n_workers", 0))
        except (OSError, TimeoutError, RuntimeError) as error:
            raise scheduler_lost(error) from error


def _drain(completions: queue.SimpleQueue[Any]) -> list[Any]:
    """All finished futures; waits up to a second for the first."""
    futures: list[Any] = []
    with contextlib.suppress(queue.Empty):
        futures.append(completions.get(timeout=1.0))
        while True:
            futures.append(completions.get_nowait())
    return futures


def _answers(client: Any, futures: list[Any]) -> dict[Any, Any]:
    """Future -> answer. A worker holds an answer until it is fetched; if the worker ended meanwhile, another one repeats the
    unit, and its future is missing here."""
    from distributed import CancelledError

    async def fetched() -> dict[int, Any]:
        answers: dict[int, Any] = await client.gather(dict(enumerate(futures)), errors="skip", asynchronous=True)
        return answers

    try:
        answers = client.sync(fetched, callback_timeout=FETCH_SECONDS) if futures else {}
    except TimeoutError:
        return {}
    except (OSError, CancelledError) as error:
        raise scheduler_lost(error) from error
    return {future: answers[i] for i, future in enumerate(futures) if future.status == "finished"}


def _died(future: Any, unit: Any) -> Died:
    """The `Died` of a unit whose workers died; raises any other error of its work."""
    from distributed import KilledWorker

    raised = future.exception()
    if not isinstance(raised, KilledWorker):
        raise raised
    return Died(unit, str(raised))


def scheduler_lost(error: BaseException) -> UnfinishedError:
    """The error of a run that lost its scheduler."""
    return UnfinishedError(
        f"the dask scheduler is gone ({error}). What was written is safe: run the same command again.",
        "E_SCHEDULER_LOST",
    )

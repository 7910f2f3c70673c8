"""Window: units handed to dask one by one from a lazy generator, about two per worker at a time.

The scheduler's memory and the client's do not grow with their number. Tasks are never pure (dask must not merge them). What
happens to workers is an answer too: a unit whose workers keep dying comes back as `Died`; no workers at all, or no scheduler,
end the run with exit 75.
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
"""Seconds for fetching answers, which are small: dask waits for one that must be made again, however long that takes."""
UNITS_PER_WORKER = 2
"""Units in the scheduler's hands for each worker: one at work, one ready."""
WORKERS_BACK_SECONDS = 60.0
"""Seconds to wait for workers to come back after the last one is gone."""


@dataclass(frozen=True, slots=True)
class Died:
    """A unit whose workers ended while they had it, more often than dask allows (`allowed-failures`)."""

    unit: Any
    reason: str


def window(
    client: Any, work: Callable[[U], R], units: Iterable[U], *, patience: float = WORKERS_BACK_SECONDS
) -> Iterator[R | Died]:
    """Answers to `work(unit)` as they come, never more than two units a worker in the scheduler's hands.

    Raises UnfinishedError where the scheduler is gone (E_SCHEDULER_LOST) or no worker came back in time (E_WORKERS_LOST), and
    what `work` raises after its third try.
    """
    stream = iter(units)
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waiting: dict[Any, U] = {}
    watch = _Watch(client, patience)
    more = True
    try:
        while True:
            while more and len(waiting) < watch.room:
                try:
                    unit = next(stream)
                except StopIteration:
                    more = False
                    break
                future = client.submit(work, unit, pure=False, retries=2)
                waiting[future] = unit
                future.add_done_callback(done.put)
            if not waiting:
                return
            finished = _drain(done)
            told = _answers(client, [future for future in finished if future.status == "finished"])
            for future in finished:
                if future in told:
                    del waiting[future]
                    yield told[future]
                elif future.status == "error":
                    yield _died(future, waiting.pop(future))
                elif future.status == "cancelled":
                    raise scheduler_lost(RuntimeError("a unit was cancelled"))
                else:
                    future.add_done_callback(done.put)
            watch.look()  # after them: where the scheduler is gone they say so, and workers seem to be gone as well
    finally:
        if waiting and client.status == "running":
            client.cancel(list(waiting))


class _Watch:
    """How many workers there are, asked about once a second."""

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


def _drain(done: queue.SimpleQueue[Any]) -> list[Any]:
    """All futures that are done by now; waits a second for the first."""
    found: list[Any] = []
    with contextlib.suppress(queue.Empty):
        found.append(done.get(timeout=1.0))
        while True:
            found.append(done.get_nowait())
    return found


def _answers(client: Any, futures: list[Any]) -> dict[Any, Any]:
    """Future -> answer. An answer lies with the worker that gave it until it is fetched: where that one ended meanwhile, the
    unit is done again by another one, and its future is missing here."""
    from distributed import CancelledError

    async def fetched() -> dict[int, Any]:
        told: dict[int, Any] = await client.gather(dict(enumerate(futures)), errors="skip", asynchronous=True)
        return told

    try:
        told = client.sync(fetched, callback_timeout=FETCH_SECONDS) if futures else {}
    except TimeoutError:
        return {}
    except (OSError, CancelledError) as error:
        raise scheduler_lost(error) from error
    return {future: told[i] for i, future in enumerate(futures) if future.status == "finished"}


def _died(future: Any, unit: Any) -> Died:
    """Raises what the unit's work raised."""
    from distributed import KilledWorker

    raised = future.exception()
    if not isinstance(raised, KilledWorker):
        raise raised
    return Died(unit, str(raised))


def scheduler_lost(error: BaseException) -> UnfinishedError:
    """What ends a run whose scheduler cannot be reached any more."""
    return UnfinishedError(
        f"the dask scheduler is gone ({error}). What was written is safe: run the same command again.",
        "E_SCHEDULER_LOST",
    )

"""Workers: who does the units. Each choice comes down to something shaped like `map`, over a bounded window of dask tasks.

Units are submitted one by one from a lazy generator, about two per worker at a time: the scheduler's memory and the
client's do not grow with their number. Tasks are never pure (dask must not merge them) and are tried three times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import MachineError, SettingsError
from .window import window

U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Where:
    """What a user said about where to run; the first that is set counts."""

    client: Any = None
    """A `distributed.Client` that is connected already."""
    scheduler_address: str | None = None
    cluster: str | None = None
    """`none` (this process) or `local` (one process a core); unset: `local` with more than two cores."""
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Crew:
    """Those who do the work: `map` and how many units are done at a time."""

    map: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
    count: int
    text: str
    client: Any = None
    """The `distributed.Client` behind `map`; None where this process does the work."""


def lanes() -> int:
    """Threads that the unit now running may keep busy: the cores of this process, or its dask worker's threads."""
    import sys

    if "distributed" in sys.modules:
        from distributed import get_worker

        try:
            return int(get_worker().state.nthreads)
        except ValueError:  # not on a worker: the whole process is ours
            return cores()
    return cores()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def crew(where: Where) -> Iterator[Crew]:
    """Start, or connect to, the workers; stop what was started here."""
    if where.client is not None:
        yield _dask(where.client)
        return
    address = where.scheduler_address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    kind = where.cluster or ("none" if cores() <= 2 and not where.workers else "local")
    if where.workers is not None and where.workers < 1:
        raise SettingsError(f"--workers is {where.workers}: at least one must do the work.")
    if not address and kind == "none":
        yield Crew(map, 1, "this process")
        return
    if not address and kind != "local":
        raise SettingsError(f"--cluster {kind!r} is not known: use none or local, or --scheduler-address.")
    from distributed import Client, LocalCluster

    if address:
        try:
            client = Client(address, timeout="15s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise MachineError(
                f"no dask scheduler answers at {address} ({error}): start one with `dask scheduler --host 127.0.0.1` "
                "and workers with `dask worker ADDRESS`, or leave the address out.",
                "E_NO_SCHEDULER",
            ) from error
        with client:
            yield _dask(client)
        return
    with (
        LocalCluster(
            n_workers=where.workers or cores(),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=40,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield _dask(client)


def _dask(client: Any) -> Crew:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        try:
            client.wait_for_workers(1, timeout=60)
        except TimeoutError as error:
            raise MachineError(
                "the dask scheduler has no workers, and none came within a minute: start some with `dask worker ADDRESS`.",
                "E_NO_WORKERS",
            ) from error
        workers = client.scheduler_info(n_workers=-1)["workers"]
    _same_versions(client)
    threads = sum(w["nthreads"] for w in workers.values())
    count = max(1, len(workers))

    def through(work: Callable[[U], R], units: Iterable[U]) -> Iterator[R]:
        return window(client, work, units)

    return Crew(through, count, f"{count} dask workers with {threads} threads", client)


def _same_versions(client: Any) -> None:
    """Workers of another tile-engine would write other bytes."""
    from ..version import VERSION

    answers = client.run(_version)
    other = {address: answer for address, answer in answers.items() if answer != VERSION}
    if other:
        raise MachineError(
            f"these workers run another tile-engine than this one ({VERSION}): {other}. "
            "Results would not fit together; install the same version everywhere.",
            "E_VERSIONS",
        )


def _version() -> str:
    from ..version import VERSION

    return VERSION

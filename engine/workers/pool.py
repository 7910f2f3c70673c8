"""WorkerPool: the workers of a run behind a function like `map`, over a bounded window of dask tasks.

Units are submitted one by one from a lazy generator, about two per worker at a time, so that the memory of scheduler and
client is bounded. Tasks are never pure (dask must not merge them) and are tried three times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...errors import MachineError
from ...stores.cache import with_cache_settings
from .fork_server import can_fork, start_fork_server
from .launch import cluster_settings, job_script, start_cluster
from .placement import QUEUES, ClusterOptions, ClusterSpec, cluster_spec
from .window import window

MORE_WORKERS_SECONDS = 15.0
"""Seconds to wait for further workers after the first one."""


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """Workers: `map`, and the number of units that run at once."""

    map: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
    count: int
    description: str
    client: Any = None
    """The `distributed.Client` behind `map`; None where this process does the work."""
    gpu: bool = False
    """Whether each worker needs a GPU."""
    least: int = 0
    """Workers that will come, if they start one by one."""


def expect_workers(where: ClusterOptions, preload: str, variables: Mapping[str, str]) -> None:
    """Begin what takes longest in the start of workers on this machine: the process that they are forked from imports `preload`
    while this one does other things (see `start_fork_server`). Raises as `worker_pool` does for the options."""
    order = cluster_spec(where)
    if order.kind == "local" and can_fork():
        start_fork_server(preload, variables)


@contextmanager
def worker_pool(where: ClusterOptions) -> Iterator[WorkerPool]:
    """Start the workers, or connect to them; at the end of the `with` block stop what was started.

    Raises SettingsError for options that contradict each other, and MachineError if no scheduler answers
    (E_NO_SCHEDULER), a queue refuses (E_NO_QUEUE), a GPU is missing (E_NO_GPU) or no worker comes in time (E_NO_WORKERS).
    """
    order = cluster_spec(where)
    if order.kind == "none":
        yield WorkerPool(map, 1, "this process")
        return
    if order.kind == "client":
        yield _dask(where.client, order)
        return
    with _connected(order) as client:
        yield _dask(client, order)


@contextmanager
def _connected(order: ClusterSpec) -> Iterator[Any]:
    from distributed import Client

    if order.kind != "address":
        with cluster_settings(order), start_cluster(order) as cluster, Client(cluster, set_as_default=False) as client:
            try:
                yield client
            except KeyboardInterrupt:  # Ctrl-C or SIGTERM, after the grace period of units in progress
                if order.kind in ("local", "cuda"):
                    from .nanny import end_workers

                    end_workers(cluster)
                raise
        return
    try:
        client = Client(order.address, timeout="15s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise MachineError(
            f"no dask scheduler answers at {order.address} ({error}): start one with `dask scheduler --host 127.0.0.1` "
            "and workers with `dask worker ADDRESS`, or leave the address out.",
            "E_NO_SCHEDULER",
        ) from error
    with client:
        yield client


def _dask(client: Any, order: ClusterSpec) -> WorkerPool:
    try:
        client.wait_for_workers(1, timeout=order.wait)
    except TimeoutError as error:
        raise MachineError(f"no worker came within {order.wait:g} s: {_missing(order)}", "E_NO_WORKERS") from error
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(order.least, timeout=min(MORE_WORKERS_SECONDS, order.wait))
    workers = client.scheduler_info(n_workers=-1)["workers"]
    threads = sum(w["nthreads"] for w in workers.values())
    count = max(1, len(workers))

    def through(work: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
        return window(client, with_cache_settings(work), units, patience=order.wait)

    description = f"{count} dask workers with {threads} threads"
    if order.most > count:
        description += f", at most {order.most}"
    return WorkerPool(through, count, description, client, order.gpu, order.least)


def _missing(order: ClusterSpec) -> str:
    if order.kind in QUEUES:
        logs = order.site.jobs(order.kind).log_directory
        return (
            f"the jobs that were submitted to {order.kind} still wait, or ended at once. See the queue, and "
            f"{f'the logs in {logs}' if logs else 'set `log_directory` in the site file to get logs'}; a longer `wait` in "
            "the site file gives a full queue more time."
        )
    return "start some with `dask worker ADDRESS`, with an address that they can reach."


def job_script_of(where: ClusterOptions) -> str:
    """The script of the job that these options would submit; empty if there is none."""
    return job_script(cluster_spec(where))

"""nanny: workers on this machine, in a run that a person may stop.

A terminal sends Ctrl-C to every process of a command. The run's own process decides what it means: units in progress have a
grace period, which a worker that heard the signal would not give them. Once it is over, workers are killed: dask would wait
four seconds more for units that do not end, and what a killed unit wrote is not used.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import dask
from distributed import Nanny, utils
from distributed.core import Status

from .fork_server import start_fork_server, start_tracker


class LocalNanny(Nanny):
    """A nanny whose worker ignores Ctrl-C."""

    async def instantiate(self) -> Status:
        """Start the worker's process. It inherits the blocked signal from this thread, the loop's, which handles none."""
        _block_interrupt()
        return await super().instantiate()


def start_server() -> None:
    """Start the process that workers are forked from. Where dask is to spawn them, only Python's own process is started that
    removes what killed ones leave, which dask would start otherwise."""
    if dask.config.get("distributed.worker.multiprocessing-method") != "forkserver":
        start_tracker()
        return
    utils._forkserver_preload_set = True  # dask would import all packages whose versions it compares, pandas among them
    start_fork_server()


def end_workers(cluster: Any) -> None:
    """Kill a cluster's worker processes on this machine; its close, which dask needs in any case, then waits for none."""

    async def end_all() -> None:
        await asyncio.gather(*(_end(worker) for worker in cluster.workers.values() if isinstance(worker, Nanny)))

    cluster.sync(end_all)


async def _end(nanny: Nanny) -> None:
    """Kill a worker's process, whatever it does; no other one is started in its place."""
    nanny.close_gracefully(reason="run stopped")
    process = nanny.process.process if nanny.process else None
    if process is not None and process.is_alive():
        await process.kill()


def _block_interrupt() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

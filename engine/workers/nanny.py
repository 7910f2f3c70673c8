"""LocalNanny: dask's nanny of a worker on this machine, in a run that a person may stop.

A terminal sends Ctrl-C to every process of a command. The run's own process decides what it means: units in progress have a
grace period, which a worker that heard the signal would not give them. Once it is over, workers are killed: dask would wait
four seconds more for units that do not end, and what a killed unit wrote is not used.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from multiprocessing import resource_tracker
from typing import Any

from distributed import Nanny
from distributed.core import Status


class LocalNanny(Nanny):
    """A nanny whose worker ignores Ctrl-C, and which can end it at once."""

    async def instantiate(self) -> Status:
        """Start the worker's process. It inherits the blocked signal from this thread, the loop's, which handles none."""
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return await super().instantiate()

    async def end(self) -> None:
        """Kill the worker's process, whatever it does; no other one is started in its place."""
        self.close_gracefully(reason="run stopped")
        process = self.process.process if self.process else None
        if process is not None and process.is_alive():
            await process.kill()


def start_tracker() -> None:
    """Start Python's process that removes what killed processes leave, such that it does not warn of it, as it does it all."""
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # it inherits these
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


def end_workers(cluster: Any) -> None:
    """Kill the processes of a cluster's local workers; its close, which dask needs in any case, then waits for none of them."""

    async def end_all() -> None:
        await asyncio.gather(*(worker.end() for worker in cluster.workers.values() if isinstance(worker, LocalNanny)))

    cluster.sync(end_all)

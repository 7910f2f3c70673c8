"""LocalNanny: dask's nanny of a worker on this machine, in a run that a person may stop.

A terminal sends Ctrl-C to every process of a command. The run's own process decides what it means: units in progress have a
grace period, which a worker that heard the signal would not give them. Once it is over, workers are killed: dask would wait
four seconds more for units that do not end, and what a killed unit wrote is not used.

Workers are forked from one process that has imported what they need: a spawned one imports it anew, which takes seconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from multiprocessing import resource_tracker
from typing import Any

from distributed import Nanny
from distributed.core import Status
from distributed.utils import get_mp_context


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


def fork_workers() -> None:
    """Have workers forked from a process that has imported the modules that this one has, but for networks: torch's threads do
    not outlive a fork. `distributed.worker.multiprocessing-method` must be "forkserver"."""
    ours, _, _ = __name__.partition(".")
    named = [name for name in sys.modules if name.startswith(f"{ours}.") and "__main__" not in name]
    apart = (f"{ours}.models.", f"{ours}.cli.")
    get_mp_context().set_forkserver_preload(["distributed.nanny", *(n for n in named if not n.startswith(apart))])


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

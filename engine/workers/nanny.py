"""nanny: workers on this machine, forked from one process, in a run that a person may stop.

A terminal sends Ctrl-C to every process of a command. The run's own process decides what it means: units in progress have a
grace period, which a worker that heard the signal would not give them. Once it is over, workers are killed: dask would wait
four seconds more for units that do not end, and what a killed unit wrote is not used.

A spawned worker imports what it needs anew, which takes seconds; a forked one has it from the process that it is forked from.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_all_start_methods, resource_tracker
from typing import Any

import dask
from distributed import Nanny
from distributed.core import Status
from distributed.utils import get_mp_context

_names: set[str] = set()
"""Environment variables of the process that workers are forked from; none before it is started."""


class LocalNanny(Nanny):
    """A nanny whose worker ignores Ctrl-C."""

    async def instantiate(self) -> Status:
        """Start the worker's process. It inherits the blocked signal from this thread, the loop's, which handles none."""
        _block_interrupt()
        return await super().instantiate()


def can_fork() -> bool:
    """Whether workers can be forked: the system can, and no variable was removed since, which they would still have."""
    return "forkserver" in get_all_start_methods() and _names <= os.environ.keys()


def start_fork_server() -> None:
    """Start the process that workers are forked from, which imports the modules that this one has, but not torch, whose threads
    do not outlive a fork. One that was started before goes on.

    It has the environment that dask gives workers, and no module of the working folder. Where dask is to spawn, only Python's
    own process that removes what killed ones leave is started, which dask would start otherwise.
    """
    _start_tracker()
    if dask.config.get("distributed.worker.multiprocessing-method") != "forkserver":
        return
    context = get_mp_context()  # dask names its own modules here, once
    ours, _, _ = __name__.partition(".")
    modules = {name: module for name, module in sys.modules.items() if name.startswith(f"{ours}.")}
    apart = (f"{ours}.models.", f"{ours}.cli.")
    named = [n for n, module in modules.items() if not n.startswith(apart) and "torch" not in vars(module)]
    context.set_forkserver_preload(["distributed.nanny", *(name for name in named if "__main__" not in name)])
    dasks = {name: str(value) for name, value in dask.config.get("distributed.nanny.pre-spawn-environ").items()}
    with _environment({**dasks, **os.environ, "PYTHONSAFEPATH": "1"}), _interrupt_blocked():
        forkserver.ensure_running()
        _names.update(_names or os.environ.keys() - dasks.keys() - {"PYTHONSAFEPATH"})


def _start_tracker() -> None:
    """Start Python's process that removes what killed processes leave; it is told not to warn of that, as it is usual."""
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # it inherits these
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


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


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables.keys() - before.keys():
            os.environ.pop(name, None)
        os.environ.update(before)


def _block_interrupt() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """A process that is started in the `with` block does not hear Ctrl-C, nor does what it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

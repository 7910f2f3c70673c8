"""fork_server: the process that workers on this machine are forked from.

A spawned worker imports what it needs anew, which takes seconds; a forked one has it from this process. It is started before
anything that is slow to import, dask among it, so that it imports while the run's own process does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver, get_all_start_methods, resource_tracker

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""What dask sets in the environment of its workers, where it is not set; the libraries read it when they are imported."""
NOTHING: Mapping[str, str] = {}
_names: set[str] = set()
"""Environment variables of the server; none before it is started."""


def can_fork(variables: Mapping[str, str] = ONE_THREAD) -> bool:
    """Whether workers that dask gives these variables can be forked: the system can, the server has the same ones, and none was
    removed since, which they would still have."""
    return "forkserver" in get_all_start_methods() and variables == ONE_THREAD and _names <= os.environ.keys()


def start_fork_server(preload: str = "", variables: Mapping[str, str] = NOTHING) -> None:
    """Start the server, which imports the modules that this process has, but not torch, whose threads do not outlive a fork;
    then the module `preload`, which finds `variables` in its environment. One that was started before goes on.

    It has the environment that dask gives workers, and no module of the working folder.
    """
    start_tracker()
    ours, _, _ = __name__.partition(".")
    modules = {name: module for name, module in sys.modules.items() if name.startswith(f"{ours}.")}
    apart = (f"{ours}.models.", f"{ours}.cli.")
    named = [n for n, module in modules.items() if not n.startswith(apart) and "torch" not in vars(module)]
    names = ["distributed.nanny", *(name for name in named if "__main__" not in name), preload]
    forkserver.set_forkserver_preload([name for name in names if name])
    with _environment({**ONE_THREAD, **os.environ, **variables, "PYTHONSAFEPATH": "1"}), _interrupt_blocked():
        forkserver.ensure_running()
        _names.update(_names or os.environ.keys() - ONE_THREAD.keys() - variables.keys() - {"PYTHONSAFEPATH"})


def start_tracker() -> None:
    """Start Python's process that removes what killed processes leave, which the server or dask would start otherwise; it is
    told not to warn of that, as it is usual."""
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # it inherits these
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


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


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """A process that is started in the `with` block does not hear Ctrl-C, nor does what it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

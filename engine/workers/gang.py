"""Gang: several dask workers that train one network together, each a rank of a torch process group.

Each rank is pinned to a worker (see rank.py). Ranks meet at a store that the first worker opens on a free port. No array goes
through dask. If a rank is lost, the others end and the gang restarts from its last checkpoint.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from textwrap import shorten
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import MachineError, UnfinishedError
from .pool import WorkerPool
from .rank import GANG_WAIT_SECONDS, Rendezvous, do_rank
from .window import scheduler_lost

if TYPE_CHECKING:
    from ...models.replica import Replica

R = TypeVar("R")
log = logging.getLogger("tile_engine")
MAX_RESTARTS = 3
"""Restarts of a gang that lost a rank."""
WORKER_CHECK_SECONDS = 2.0
"""Seconds between two checks that the workers of a gang are alive."""
_stores: dict[str, Any] = {}
"""On a worker: gang -> its store, until another gang opens one."""


def check_gang(ranks: int, pool: WorkerPool) -> None:
    """Raises MachineError (E_GANG), before any work, if there are fewer workers than ranks."""
    check_ranks(ranks, max(pool.count, pool.least) if pool.client is not None else 0)


def check_ranks(ranks: int, workers: int) -> None:
    """`check_gang` by a number of workers; 0: the run's own process does the work."""
    if ranks == 1:
        return
    if not workers:
        raise MachineError(
            f"--gang {ranks} trains with {ranks} workers, and here one process does the work. Add --cluster local "
            f"--workers {ranks}, or another cluster, or leave --gang out.",
            "E_GANG",
        )
    if workers < ranks:
        raise MachineError(
            f"--gang {ranks} trains with {ranks} workers at once, one a rank, and there are {workers}. Ask for more with "
            f"--workers {ranks} (with --adapt, as its lower number), or for a smaller gang.",
            "E_GANG",
        )


def train_gang(client: Any, work: Callable[[Replica], R], ranks: int, device: str = "cpu") -> R:
    """Do `work(replica)` on `ranks` workers at once; returns the result of the first rank.

    If a rank is lost, all ranks restart on the workers that are left. Raises UnfinishedError (E_GANG_LOST) after three
    restarts, or if too few workers come back, and (E_SCHEDULER_LOST) if the scheduler is lost; any other error of a rank is
    raised unchanged.
    """
    from distributed import CancelledError

    try:
        return _train_restarting(client, work, ranks, device)
    except (OSError, CancelledError) as error:
        raise scheduler_lost(error) from error


def _train_restarting(client: Any, work: Callable[[Replica], R], ranks: int, device: str) -> R:
    reason = ""
    for _ in range(1 + MAX_RESTARTS):
        with _reserved_workers(client, ranks) as addresses:
            futures = _begin(client, work, addresses, device)
            try:
                _wait_for_end(client, futures, addresses)
                failed = [_failure(f) for f in futures if f.status != "finished"]
                if not failed:
                    first: R = futures[0].result(timeout=GANG_WAIT_SECONDS)
                    return first
            finally:
                client.cancel(futures)
        for error in failed:
            if not _is_loss(error):
                raise error
        reason = "; ".join(sorted({shorten(f"{type(e).__name__}: {e}", 200) for e in failed}))
        log.warning("a gang of %d lost a rank and resumes from its checkpoint: %s", ranks, reason)
    raise _lost(f"the gang of {ranks} workers lost a rank {1 + MAX_RESTARTS} times (last reason: {reason}).")


def _lost(what: str) -> UnfinishedError:
    return UnfinishedError(
        f"{what} Check the workers' memory and logs, then run the same command again: training resumes from its last "
        "checkpoint.",
        "E_GANG_LOST",
    )


@contextmanager
def _reserved_workers(client: Any, ranks: int) -> Iterator[list[str]]:
    """Addresses of workers, locked against other gangs: two gangs that wait for each other's workers would never start."""
    from distributed import MultiLock

    until = time.monotonic() + GANG_WAIT_SECONDS
    while True:
        addresses = _workers(client)[:ranks]
        if any(address.startswith("inproc") for address in addresses):
            raise MachineError("workers that are threads of one process cannot be a gang: use processes.", "E_GANG")
        if len(addresses) == ranks:
            lock = MultiLock(addresses, client=client)
            lock.id = f"{client.id} {lock.id}"
            _free_locks_of_the_dead(client)
            if lock.acquire(timeout=WORKER_CHECK_SECONDS):
                try:
                    if set(addresses) <= set(_workers(client)):
                        yield addresses
                        return
                finally:
                    lock.release()
            else:
                until = time.monotonic() + GANG_WAIT_SECONDS  # another gang uses these workers
        if time.monotonic() > until:
            raise _lost(f"a gang of {ranks} needs {ranks} workers, and {len(addresses)} are available.")
        time.sleep(WORKER_CHECK_SECONDS / 10)


def _workers(client: Any) -> list[str]:
    if client.status not in ("running", "connecting"):
        raise ConnectionError(f"the client is {client.status}")
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(address for address, worker in workers.items() if worker["status"] == "running")


def _free_locks_of_the_dead(client: Any) -> None:
    """Release locks of clients that are gone: a killed run would hold them in the scheduler for ever."""

    def free(dask_scheduler: Any) -> None:  # a nested function: the scheduler may not have tile-engine
        locks = dask_scheduler.extensions["multi_locks"]
        for holder in list(locks.requests):
            if " " in holder and holder.split()[0] not in dask_scheduler.clients:
                locks.release(id=holder)

    client.run_on_scheduler(free)


def _begin(client: Any, work: Callable[[Replica], R], addresses: Sequence[str], device: str) -> list[Any]:
    """One task per rank, pinned to its worker and never repeated by dask."""
    gang = uuid.uuid4().hex
    options = {"allow_other_workers": False, "pure": False, "retries": 0, "priority": 10}
    opening = client.submit(_open, gang, addresses[0], len(addresses), workers=[addresses[0]], **options)
    _wait_for_end(client, [opening], addresses)
    if opening.status != "finished":
        return [opening]
    host, port = opening.result(timeout=GANG_WAIT_SECONDS)
    return [
        client.submit(
            do_rank,
            work,
            Rendezvous(gang, rank, len(addresses), host, port, address, device),
            workers=[address],
            **options,
        )
        for rank, address in enumerate(addresses)
    ]


def _wait_for_end(client: Any, futures: Sequence[Any], addresses: Sequence[str]) -> None:
    """Wait until each future has ended, or its worker is gone."""
    from distributed import wait

    while pending_futures := [f for f in futures if not f.done()]:
        live_addresses = set(_workers(client))
        if not [
            f for f, address in zip(futures, addresses, strict=False) if not f.done() and address in live_addresses
        ]:
            return
        try:
            with client.as_current():
                wait(pending_futures, timeout=WORKER_CHECK_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            continue


def _is_loss(error: BaseException) -> bool:
    """Whether a rank ended because of a lost worker, peer or connection; torch raises RuntimeError for a lost peer."""
    return isinstance(error, RuntimeError | OSError) or type(error).__module__.startswith("distributed")


def _failure(future: Any) -> BaseException:
    """The error of a rank that did not finish."""
    if future.status == "error":
        error: BaseException = future.exception()
        return error
    return ConnectionError(f"a worker was lost ({future.status})")


def _open(gang: str, address: str, count: int) -> tuple[str, int]:
    """On the first worker: open the store of the ranks on a free port; returns its (host, port)."""
    import socket

    from distributed.comm.addressing import get_address_host
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    host = get_address_host(address)
    listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    port: int = listening.getsockname()[1]
    _stores.clear()  # stores of gangs that never started
    _stores[gang] = TCPStore(
        host,
        port,
        count,
        is_master=True,
        wait_for_workers=False,
        timeout=timedelta(seconds=GANG_WAIT_SECONDS),
        master_listen_fd=listening.detach(),
    )
    return host, port

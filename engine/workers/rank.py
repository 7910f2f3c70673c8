"""Rank: one member of a gang, in a process of its own.

```text
dask worker -- Child --> this process: joins the group, does the work, reports the result, ends
```
A process group lives as long as its process: sockets of a failed rank would stay open while the others wait for it, and
destroying a group in a process that continues has been seen to block that process for ever. Ending the process ends both.
"""

from __future__ import annotations

import base64
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from .child import Child, GoneError, Say, SilentError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...models.replica import Replica


R = TypeVar("R")
GANG_WAIT_SECONDS = 300.0
"""Seconds that ranks wait for each other, and a gang for lost workers to return."""
TASK_CHECK_SECONDS = 1.0
"""Seconds between two checks that the task of a rank is still wanted."""


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """Address and number of one rank of a gang."""

    gang: str
    rank: int
    count: int
    host: str
    """Address of the first worker."""
    port: int
    own: str
    """Address of this rank's worker."""
    device: str = "cpu"


def do_rank(work: Callable[[Replica], R], rendezvous: Rendezvous) -> R | None:
    """On a worker: do the rank's work in a child process while its task is wanted; returns the first rank's result.

    Raises what `work` raised, and ConnectionError if the child ended without an answer.
    """
    is_wanted = _task_is_waited_for()
    with Child(rank_in_child, {"seat": asdict(rendezvous), "work": _packed(work)}, alone=True) as child:
        while is_wanted():
            try:
                word, value = child.hear(TASK_CHECK_SECONDS)
            except SilentError:
                continue
            except GoneError as error:
                raise ConnectionError(f"the process of rank {rendezvous.rank} ended without an answer") from error
            answer = _unpacked(value)
            if word == "failed":
                raise answer
            done: R | None = answer
            return done
    raise ConnectionError("the run that started this gang no longer waits for it")


def rank_in_child(request: dict[str, Any], say: Say) -> None:
    """In the child: join the group and do the work; says ("done", the first rank's result) or ("failed", the error)."""
    import torch.distributed as group

    rendezvous = Rendezvous(**request["seat"])
    try:
        work = _unpacked(request["work"])
        patience = timedelta(seconds=GANG_WAIT_SECONDS)
        store = group.TCPStore(rendezvous.host, rendezvous.port, rendezvous.count, is_master=False, timeout=patience)  # type: ignore[attr-defined]
        if store.add(f"rank {rendezvous.rank}", 1) > 1:  # dask gave the task of a lost worker to another one
            raise ConnectionError(f"rank {rendezvous.rank} was lost, and a lost rank is not repeated in the same gang")
        _choose_interface(rendezvous.own)
        backend = "nccl" if rendezvous.device == "cuda" else "gloo"
        group.init_process_group(
            backend, store=store, rank=rendezvous.rank, world_size=rendezvous.count, timeout=patience
        )
        answer = work(_replica(rendezvous))
        with suppress(RuntimeError):  # a rank that ends first would close sockets that others still read
            group.barrier()
        say("done", _packed(answer if rendezvous.rank == 0 else None))
    except BaseException as error:  # noqa: BLE001 - raised again on the worker
        error.add_note(f"in rank {rendezvous.rank}:\n{traceback.format_exc()}")
        try:
            packed = _packed(error.with_traceback(None))
        except Exception:  # noqa: BLE001 - an error that cannot be pickled: its text is sent
            packed = _packed(RuntimeError(repr(error)))
        say("failed", packed)
    os._exit(0)  # without destroying the group


def _packed(value: Any) -> str:
    """A pickled value as text, for the pipe between a worker and its child."""
    from distributed.protocol.pickle import dumps

    return base64.b64encode(dumps(value)).decode()


def _unpacked(text: str) -> Any:
    from distributed.protocol.pickle import loads

    return loads(base64.b64decode(text))


def _replica(rendezvous: Rendezvous) -> Replica:
    """The Replica of this rank: its rows, gathering and averaged gradients."""
    import torch
    import torch.distributed as group
    from torch.nn.parallel import DistributedDataParallel

    from ...models.replica import Replica

    def average(bucket: Any) -> torch.futures.Future[Tensor]:
        """The mean of each gradient by itself. A sum rounds by where in a bucket a gradient lies, and buckets change after
        the first step: a gang that begins again from a checkpoint would end with other last digits."""
        for gradient in bucket.gradients():
            group.all_reduce(gradient)
            gradient /= rendezvous.count
        buffer = bucket.buffer()
        future: torch.futures.Future[Tensor] = torch.futures.Future(devices=[buffer.device] if buffer.is_cuda else None)
        future.set_result(buffer)
        return future

    class Gather(torch.autograd.Function):
        """The rows of all ranks; in the backward pass the gradients of all ranks' losses are summed."""

        @staticmethod
        def forward(ctx: Any, rows: Tensor) -> Tensor:
            parts = [torch.empty_like(rows) for _ in range(rendezvous.count)]
            group.all_gather(parts, rows)
            return torch.cat(parts)

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            total = gradients[0].contiguous()
            group.all_reduce(total)
            return total.chunk(rendezvous.count)[rendezvous.rank]

    def gather(rows: Tensor) -> Tensor:
        gathered: Tensor = Gather.apply(rows.contiguous().to(rendezvous.device))  # type: ignore[no-untyped-call]
        return gathered

    def join(network: nn.Module) -> nn.Module:
        joined = DistributedDataParallel(network)
        joined.broadcast_buffers = False  # all ranks start with the buffers of the first, and no step changes them
        joined.register_comm_hook(None, lambda _, bucket: average(bucket))
        return joined

    return Replica(rendezvous.rank, rendezvous.count, gather, join)


def _task_is_waited_for() -> Callable[[], bool]:
    """A function: whether the current task is still wanted; its run may have ended."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    return is_wanted


def _choose_interface(address: str) -> None:
    """Make gloo and nccl use the interface of dask's address; by default they resolve the machine's name."""
    import socket

    from distributed.comm.addressing import get_address_host
    from distributed.utils import get_ip_interface

    host = get_address_host(address)
    for _, name in socket.if_nameindex():
        try:
            ip = get_ip_interface(name)
        except ValueError:
            continue
        if ip == host or (ip.startswith("127.") and host.startswith("127.")):
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = name
            return

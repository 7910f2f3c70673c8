"""Pre-flight: every worker is asked, before any work, whether it could do it: inputs, results, versions, GPU.

A worker that sees another disk under the same path, or runs another numpy, would fail late or write other bytes.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ...errors import MachineError, TileEngineError
from ...stores.files import partial_path
from ...stores.remote import place
from ...stores.slides.cohort import fingerprint
from ...version import VERSION
from ..compute.gpus import gpu_fault, gpus
from ..pipeline.progress import Event, Report
from .pool import WorkerPool

ANSWER_SECONDS = 60.0
"""Seconds for a worker's whole answer; a mount that hangs takes longer."""
SILENCE_SECONDS = 75.0
"""Seconds after which a worker that says nothing at all is given up."""
MAX_LINES = 20
"""Hosts, or wrong workers, that are told one by one."""


@dataclass(frozen=True, slots=True)
class WorkerCheck:
    """What a worker is asked."""

    out: str = ""
    """Folder that it must be able to write; empty: not asked."""
    slides: tuple[tuple[str, str], ...] = ()
    """Paths that it must see, with the fingerprint of each file."""
    token: str = ""
    """Name of a file that lies in `out` already: proof that it is the same folder."""
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker in the table of answers."""

    worker: str
    """Its address."""
    host: str = ""
    threads: int = 0
    gpu: str = ""
    """Name and UUID of the card that it uses first; empty without one."""
    versions: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """What is wrong, each with what to do."""


def preflight(pool: WorkerPool, out: str | Path, slides: Iterable[Any], report: Report) -> tuple[WorkerRow, ...]:
    """Ask the workers; `slides` are records with `path` and `fingerprint`. This process itself needs no asking.

    Raises MachineError (E_VERSIONS where only versions differ, else E_WORKERS) that lists host by host what is wrong.
    """
    if pool.client is None:
        return ()
    from .launch import exposure_warning

    warning = exposure_warning(pool.client.scheduler.address)
    if warning:
        report(Event("warning", warning))
    known = [(str(record.path), str(record.fingerprint)) for record in slides]
    some = (known[0], known[len(known) // 2], known[-1]) if known else ()
    chosen = tuple(dict.fromkeys(some))  # a look at each of 10^4 slides by each worker would take longer than the work
    rows = ask_workers(pool.client, WorkerCheck(str(out), chosen, gpu=pool.gpu))
    wrong = [row for row in rows if row.faults]
    if wrong:
        lines = [f"  {row.host or 'unknown host'} ({row.worker}): {'; '.join(row.faults)}" for row in wrong[:MAX_LINES]]
        more = [f"  ... and {len(wrong) - MAX_LINES} more"] if len(wrong) > MAX_LINES else []
        versions = all(fault.startswith(OTHER_VERSION) for row in wrong for fault in row.faults)
        raise MachineError(
            "\n".join([f"{len(wrong)} of {len(rows)} workers cannot do this run; nothing was begun:", *lines, *more]),
            "E_VERSIONS" if versions else "E_WORKERS",
        )
    report(Event("note", worker_table(rows)))
    return rows


def ask_workers(client: Any, look: WorkerCheck) -> tuple[WorkerRow, ...]:
    """Every worker's answer, wrong ones with their faults; in a bounded time."""
    token = _leave_token(look.out)
    look = WorkerCheck(look.out, look.slides, token, look.gpu)
    try:
        answers = client.sync(_answers, client, look)
    finally:
        if token:
            (place(look.out) / token).unlink(missing_ok=True)
    threads = {a: w["nthreads"] for a, w in client.scheduler_info(n_workers=-1)["workers"].items()}
    return tuple(_row(address, answers[address], threads.get(address, 0)) for address in sorted(answers))


async def _answers(client: Any, look: WorkerCheck) -> dict[str, Any]:
    """Each worker's answer, or what stands for one; each is asked by itself, so that one that is silent keeps nobody."""
    home = versions()

    async def said(address: str) -> Any:
        asking = client.run(answer, look, home, workers=[address], on_error="return", asynchronous=True)
        try:
            return (await asyncio.wait_for(asking, SILENCE_SECONDS))[address]
        except (
            OSError,
            KeyError,
        ) as error:  # among them TimeoutError; a worker that ended meanwhile is not in the answer
            return error

    there = list((await client.scheduler.identity(n_workers=-1))["workers"])
    return dict(zip(there, await asyncio.gather(*map(said, there)), strict=True))


def worker_table(rows: Iterable[WorkerRow]) -> str:
    """A line a host."""
    hosts: dict[str, list[WorkerRow]] = {}
    for row in rows:
        hosts.setdefault(row.host, []).append(row)
    lines = []
    for host, found in sorted(hosts.items()):
        cards = sorted({row.gpu for row in found if row.gpu})
        lines.append(
            f"{host}: {len(found)} workers, {sum(row.threads for row in found)} threads"
            + (f", {', '.join(cards)}" if cards else "")
        )
    more = [f"... and {len(lines) - MAX_LINES} more hosts"] if len(lines) > MAX_LINES else []
    return "\n".join([*lines[:MAX_LINES], *more])


def versions() -> dict[str, str]:
    """Of all that decides bytes, or whether two processes understand each other; read without importing any of it."""
    return {"tile-engine": VERSION, "python": ".".join(platform.python_version_tuple()[:2])} | {
        name: _version(name) for name in ("torch", "numpy", "dask", "distributed", "zarr")
    }


async def answer(look: WorkerCheck, home: dict[str, str]) -> WorkerRow:
    """What one worker says of itself; runs on the worker, beside its event loop, so that a hung mount blocks nothing."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(_answer, look, home), ANSWER_SECONDS)
    except TimeoutError:
        what = ", ".join(filter(None, (look.out, *(path for path, _ in look.slides))))
        return WorkerRow(
            "", socket.gethostname(), faults=(f"no answer within {ANSWER_SECONDS:g} s: does {what} hang there?",)
        )


def _answer(look: WorkerCheck, home: dict[str, str]) -> WorkerRow:
    here = versions()
    faults = [
        f"{OTHER_VERSION}{name} {here[name]}, and {wanted} where the run was started: install the same"
        for name, wanted in home.items()
        if here[name] != wanted
    ]
    faults += filter(None, (_unseen(path, mark) for path, mark in look.slides))
    faults += filter(None, [_unwritable(look) if look.out and look.token else ""])
    cards = gpus()
    if look.gpu:
        faults += filter(None, [gpu_fault() if cards else "no GPU may be used there (`nvidia-smi -L`)"])
    return WorkerRow("", socket.gethostname(), 0, str(cards[0]) if cards else "", here, tuple(faults))


def _unseen(path: str, mark: str) -> str:
    try:
        now = fingerprint(place(path))
    except (OSError, TileEngineError) as error:
        return f"cannot read {path} ({error}): mount the slides there under the same path"
    return "" if now == mark or not mark else f"sees another file at {path}: mount the same folder there"


def _unwritable(look: WorkerCheck) -> str:
    out = place(look.out)
    if not (out / look.token).exists():
        return f"does not see the same folder at {out}: results need a file system that all workers share"
    probe = partial_path(out / "preflight")
    try:
        probe.write_bytes(os.urandom(1024))
        probe.unlink()
    except (OSError, TileEngineError) as error:
        why = getattr(error, "strerror", None) or error
        return f"cannot write {out} ({why}): give this user the right to, or choose another --out"
    return ""


def _leave_token(out: str) -> str:
    """A file of ours that workers look for; a run sweeps it where this process is killed meanwhile."""
    if not out:
        return ""
    token = partial_path(place(out) / "preflight")
    token.write_bytes(b"")
    return token.name


def _row(address: str, said: Any, threads: int) -> WorkerRow:
    if isinstance(said, WorkerRow):
        return WorkerRow(address, said.host, threads, said.gpu, said.versions, said.faults)
    text = " ".join(f"{type(said).__name__}: {said}".split())[:300]
    missing = isinstance(said, ImportError | AttributeError)
    todo = f"install tile-engine {VERSION} there" if missing else "see the worker's log"
    return WorkerRow(address, faults=(f"did not answer ({text}): {todo}",))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


OTHER_VERSION = "has another "

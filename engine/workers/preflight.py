"""Preflight: before any work every worker reports whether it can do the run: inputs, results, versions, GPU.

A worker with another disk under the same path, or another numpy, would fail late or write other bytes.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ...errors import MachineError, TileEngineError
from ...stores.files import partial_path
from ...stores.remote import to_path
from ...stores.slides.file_marks import fingerprint, size_and_time
from ...version import VERSION
from ..compute.gpus import gpu_fault, gpus
from ..pipeline.listing import first_lines
from ..pipeline.progress import Event, Report
from ..pipeline.record import ImageRecord
from .pool import WorkerPool

ANSWER_SECONDS = 60.0
"""Time limit of a worker's answer, in seconds; a hanging mount exceeds it."""
SILENCE_SECONDS = 75.0
"""Seconds after which a worker without any answer counts as lost."""
_SIZE_AND_TIME = re.compile(r"\d+-\d+")
MAX_LINES = 20
"""Hosts, or faulty workers, that are listed one by one."""


@dataclass(frozen=True, slots=True)
class WorkerCheck:
    """The checks that a worker makes."""

    out: str = ""
    """Folder that it must be able to write; empty: not checked."""
    slides: tuple[tuple[str, str], ...] = ()
    """(path, fingerprint) of files that it must see."""
    token: str = ""
    """Name of a file in `out` that proves that it is the same folder."""
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """The answer of one worker."""

    worker: str
    """Its address."""
    host: str = ""
    threads: int = 0
    gpu: str = ""
    """Name and UUID of the GPU that it uses first; empty without one."""
    versions: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Faults, each with advice."""


def preflight(
    pool: WorkerPool, out: str | Path, slides: Iterable[ImageRecord], report: Report
) -> tuple[WorkerRow, ...]:
    """Check the workers; `slides` are records of images. The run's own process is not checked.

    Raises MachineError (E_VERSIONS if only versions differ, else E_WORKERS) that lists the faults of each host.
    """
    if pool.client is None:
        return ()
    from .launch import exposure_warning

    warning = exposure_warning(pool.client.scheduler.address)
    if warning:
        report(Event("warning", warning))
    files = [record.file for record in slides]
    some = (files[0], files[len(files) // 2], files[-1]) if files else ()
    sample = tuple(
        dict.fromkeys(some)
    )  # three slides: checking 10^4 slides on each worker would take longer than the work
    rows = ask_workers(pool.client, WorkerCheck(str(out), sample, gpu=pool.gpu))
    faulty_rows = [row for row in rows if row.faults]
    if faulty_rows:
        lines = [
            f"  {row.host or 'unknown host'} ({row.worker}): {'; '.join(row.faults)}" for row in faulty_rows[:MAX_LINES]
        ]
        more = [f"  ... and {len(faulty_rows) - MAX_LINES} more"] if len(faulty_rows) > MAX_LINES else []
        versions = all(fault.startswith(OTHER_VERSION) for row in faulty_rows for fault in row.faults)
        raise MachineError(
            "\n".join(
                [f"{len(faulty_rows)} of {len(rows)} workers cannot do this run; nothing was begun:", *lines, *more]
            ),
            "E_VERSIONS" if versions else "E_WORKERS",
        )
    report(Event("note", worker_table(rows)))
    return rows


def ask_workers(client: Any, look: WorkerCheck) -> tuple[WorkerRow, ...]:
    """The answer of each worker, with its faults, in bounded time."""
    token = _leave_token(look.out)
    look = WorkerCheck(look.out, look.slides, token, look.gpu)
    try:
        answers = client.sync(_answers, client, look)
    finally:
        if token:
            (to_path(look.out) / token).unlink(missing_ok=True)
    threads = {a: w["nthreads"] for a, w in client.scheduler_info(n_workers=-1)["workers"].items()}
    return tuple(_row(address, answers[address], threads.get(address, 0)) for address in sorted(answers))


async def _answers(client: Any, look: WorkerCheck) -> dict[str, Any]:
    """Address -> answer of a worker, or the error instead; each is asked separately, so that a silent one delays no other."""
    home = versions()

    async def answer_of(address: str) -> Any:
        asking = client.run(answer, look, home, workers=[address], on_error="return", asynchronous=True)
        try:
            return (await asyncio.wait_for(asking, SILENCE_SECONDS))[address]
        except (
            OSError,
            KeyError,
        ) as error:  # among them TimeoutError; a worker that ended meanwhile is not in the answer
            return error

    addresses = list((await client.scheduler.identity(n_workers=-1))["workers"])
    return dict(zip(addresses, await asyncio.gather(*map(answer_of, addresses)), strict=True))


def worker_table(rows: Iterable[WorkerRow]) -> str:
    """Workers, threads and GPUs, one line per host."""
    hosts: dict[str, list[WorkerRow]] = {}
    for row in rows:
        hosts.setdefault(row.host, []).append(row)
    lines = []
    for host, workers in sorted(hosts.items()):
        cards = sorted({row.gpu for row in workers if row.gpu})
        lines.append(
            f"{host}: {len(workers)} workers, {sum(row.threads for row in workers)} threads"
            + (f", {', '.join(cards)}" if cards else "")
        )
    return "\n  ".join(first_lines(lines, "hosts"))


def versions() -> dict[str, str]:
    """Versions of packages that decide bytes or protocols, read without importing them."""
    return {"tile-engine": VERSION, "python": ".".join(platform.python_version_tuple()[:2])} | {
        name: _version(name) for name in ("torch", "numpy", "dask", "distributed", "zarr")
    }


async def answer(look: WorkerCheck, home: dict[str, str]) -> WorkerRow:
    """The answer of a worker; runs on it in a thread, so that a hanging mount does not block its event loop."""
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
        f"{OTHER_VERSION}{name} {here[name]}, and {home_version} where the run was started: install the same"
        for name, home_version in home.items()
        if here[name] != home_version
    ]
    faults += filter(None, (_unseen(path, mark) for path, mark in look.slides))
    faults += filter(None, [_unwritable(look) if look.out and look.token else ""])
    cards = gpus()
    if look.gpu:
        faults += filter(None, [gpu_fault() if cards else "no GPU may be used there (`nvidia-smi -L`)"])
    return WorkerRow("", socket.gethostname(), 0, str(cards[0]) if cards else "", here, tuple(faults))


def _unseen(path: str, mark: str) -> str:
    try:
        plain = _SIZE_AND_TIME.fullmatch(mark)  # of a film, whose folder may hold a million others
        now = size_and_time(to_path(path)) if plain else fingerprint(to_path(path))
    except (OSError, TileEngineError) as error:
        return f"cannot read {path} ({error}): mount the slides there under the same path"
    return "" if now == mark or not mark else f"sees another file at {path}: mount the same folder there"


def _unwritable(look: WorkerCheck) -> str:
    out = to_path(look.out)
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
    """Write a file in `out` that workers look for; if this process is killed, the next run removes it."""
    if not out:
        return ""
    token = partial_path(to_path(out) / "preflight")
    token.write_bytes(b"")
    return token.name


def _row(address: str, reply: Any, threads: int) -> WorkerRow:
    if isinstance(reply, WorkerRow):
        return WorkerRow(address, reply.host, threads, reply.gpu, reply.versions, reply.faults)
    text = " ".join(f"{type(reply).__name__}: {reply}".split())[:300]
    missing = isinstance(reply, ImportError | AttributeError)
    todo = f"install tile-engine {VERSION} there" if missing else "see the worker's log"
    return WorkerRow(address, faults=(f"did not answer ({text}): {todo}",))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


OTHER_VERSION = "has another "

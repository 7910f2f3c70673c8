"""Device choice: the device and dtype of the network, chosen before any work from the GPUs that the workers report.

The device affects the numerics, so a run keeps the one it began with. The run's own process queries its workers and does not
initialise a GPU itself, unless it does the work without workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from ...errors import MachineError
from ...stores.folder import Folder
from ..compute.gpus import gpus
from ..pipeline.documents import find_run
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings
from ..workers.pool import WorkerPool
from ..workers.preflight import WorkerRow, versions

C = TypeVar("C", bound=RunSettings)
STAGES = frozenset({"train", "apply"})
"""Stages that run the network; the device is chosen only when one of them is requested."""


def with_device(settings: C, folder: Folder, pool: WorkerPool, rows: Sequence[WorkerRow], report: Report) -> C:
    """Set device and dtype: as requested, else as the run began, else cuda with bf16 where every worker supports it.

    Raises MachineError (E_NO_GPU) where the run is to compute on GPUs and a worker has none that torch can use.
    """
    settings = as_device_began(settings, folder)
    device, dtype, bf16 = settings.device, settings.dtype, False
    if device == "auto" and (why := _not_one_each(pool, rows)):
        device = "cpu"
        _tell_cpu(why, report)
    if device != "cpu":
        faults, bf16 = _gpu_answers(pool, rows)
        if faults and device == "cuda":
            raise _no_gpu(faults, max(1, len(rows)))
        if faults:
            _tell_cpu(faults[0], report)
        device = "cpu" if faults else "cuda"
    if dtype == "auto":
        dtype = "bf16" if device == "cuda" and bf16 else "float32"
    if device == "cuda":
        report(Event("note", f"the network runs on GPUs: training in {settings.trains_in}, maps in {dtype}"))
    return settings.model_copy(update={"device": device, "dtype": dtype})


def as_device_began(settings: C, folder: Folder) -> C:
    """Device and dtype as the run in OUT began, where they are not given."""
    run = find_run(folder)
    begun = run.common if run else RunSettings()
    device = begun.device if settings.device == "auto" else settings.device
    dtype = begun.dtype if settings.dtype == "auto" and begun.device == device else settings.dtype
    return settings.model_copy(update={"device": device, "dtype": dtype})


def check_device_here(settings: RunSettings) -> None:
    """Raises MachineError (E_NO_GPU) where the run is to compute on a GPU of this machine, and torch can use none."""
    if settings.device == "cuda" and (fault := _gpu_state()[0]):
        raise _no_gpu([f"this machine: {fault}"], 1)


def _no_gpu(faults: Sequence[str], workers: int) -> MachineError:
    return MachineError(
        f"the network is to run on GPUs, and {len(faults)} of {workers} workers cannot use one: {faults[0]}. "
        "Use --device cpu, or workers that have GPUs (--cluster cuda).",
        "E_NO_GPU",
    )


def _tell_cpu(why: str, report: Report) -> None:
    report(Event("note", f"the network runs on the CPU: {why}"))


def _not_one_each(pool: WorkerPool, rows: Sequence[WorkerRow]) -> str:
    """Why not every worker has its own GPU; empty if each has. Several on one GPU would be slower than all CPU cores."""
    cards = [row.gpu for row in rows] if pool.client is not None else [str(gpu) for gpu in gpus()[:1]] or [""]
    if not any(cards):
        built = "" if versions()["torch"].endswith("+cpu") else ", though torch may be a build for CUDA"
        return f"no GPU may be used here (`nvidia-smi -L`){built}"
    if not all(cards):
        return f"{cards.count('')} of {len(cards)} workers have no GPU"
    if len(set(cards)) < len(cards):
        return f"{len(cards)} workers share {len(set(cards))} GPUs; --cluster cuda gives each its own"
    return ""


def _gpu_answers(pool: WorkerPool, rows: Sequence[WorkerRow]) -> tuple[list[str], bool]:
    """(faults of the workers' GPUs, one line per worker; whether all GPUs support bf16 natively)."""
    if pool.client is None:
        answers: dict[str, Any] = {"this process": _gpu_state()}
    else:
        lacking = [f"{row.host} ({row.worker}) has none" for row in rows if not row.gpu]
        if lacking:
            return lacking, False
        answers = pool.client.run(_said, on_error="return")
    faults, bf16 = [], []
    for worker, answer in sorted(answers.items()):
        fault, has = answer if isinstance(answer, tuple) else (f"{type(answer).__name__}: {answer}", False)
        faults += [f"{worker}: {fault}"] if fault else []
        bf16.append(has)
    return faults, all(bf16)


async def _said() -> tuple[str, bool]:
    """Query a worker's GPU in a thread, off its event loop, as importing torch takes seconds."""
    return await asyncio.to_thread(_gpu_state)


def _gpu_state() -> tuple[str, bool]:
    if not gpus():
        return "no GPU is available (`nvidia-smi -L`)", False
    from ..compute.gpu_stream import gpu_readiness

    return gpu_readiness()

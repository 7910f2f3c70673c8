"""Machine: cores, memory and threads that this process may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from .gpus import gpus


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int:
    """Bytes that are available without swapping; all memory of the machine if the kernel does not tell."""
    try:
        with open("/proc/meminfo") as file:  # noqa: PTH123
            table: Iterable[list[str]] = (line.split() for line in file)
            return next(int(row[1]) * 1024 for row in table if row[0] == "MemAvailable:")
    except (FileNotFoundError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_threads() -> int:
    """Threads for the current unit: the cores of this process, or the threads of its dask worker.

    A dask-cuda worker has one thread, which waits for its GPU, and decodes with its share of the cores.
    """
    worker = dask_worker()
    if worker is None:
        return cores()
    if any(type(plugin).__module__.startswith("dask_cuda") for plugin in worker.plugins.values()):
        return max(1, cores() // max(1, _gpu_count()))
    return int(worker.state.nthreads)


def dask_worker() -> Any:
    """The dask worker that this thread works for; None in a process that may use all cores."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _gpu_count() -> int:
    """GPUs of this host: dask-cuda shows all of them to each worker, its own first."""
    return len(gpus())


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""
KEPT_BYTES, LARGE_BYTES = 2**28, 2**25
"""Freed memory that a process keeps; size from which a piece has pages of its own, the most that glibc takes: maps of a network
have up to 30 MB."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let this process keep the memory of one block of pixels for the next.

    By default glibc gives what is freed back at once, until it has seen larger pieces, and dask's workers do always: then the
    pages of every encoded chunk are made anew, which takes longer than its compression. It holds until the process ends.
    Who sets `MALLOC_MMAP_THRESHOLD_` or `GLIBC_TUNABLES` decides for himself; other systems have no such parameter."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt and not {"MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"} & os.environ.keys():
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


BF16_FLAGS = {"avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX", "bf16": "Arm BF16"}
"""Flag of the kernel -> instruction set of a processor that computes in bf16."""


def bf16_instructions(table: str = "/proc/cpuinfo") -> tuple[str, ...] | None:
    """Names of this processor's instruction sets for bf16; None if the kernel does not tell."""
    try:
        with open(table) as file:  # noqa: PTH123
            lines = (line.partition(":") for line in file)
            flags = next(set(value.split()) for key, _, value in lines if key.strip() in ("flags", "Features"))
    except (FileNotFoundError, StopIteration):
        return None
    return tuple(name for flag, name in BF16_FLAGS.items() if flag in flags)

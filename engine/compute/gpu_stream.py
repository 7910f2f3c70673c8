"""GpuStream: batches through a network on one GPU; the next batch is copied while this one is computed.

```text
host   fill 1 | fill 2 |        | fill 3 | take 1 ...      two slots of pinned memory, used in turns
bus           | copy 1 | copy 2 |        |                 stored integers; they become floats on the GPU
GPU                    | work 1 | work 2 |                 a CUDA graph if one can be captured, else plain calls
```
The same code runs on a CPU, where streams and events do nothing, so it is tested without a GPU.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from ...errors import MachineError
from ...stores.frame import Array
from .gpus import gpu_fault

log = logging.getLogger("tile_engine")
PatchFunction = Callable[[Tensor], Mapping[str, Tensor]]
"""A batch on the device -> name -> results, one row per patch."""
MIN_PATCHES_AT_ONCE = 16
"""Smallest number of patches at once; below it the memory is too short."""
WARMUP_CALLS = 3
"""Calls before a graph is captured: libraries choose algorithms and allocate memory in the first calls."""
FAILURE_WORDS = (
    "cuda error",
    "device-side",
    "ecc error",
    "launch failure",
    "off the bus",
    "cudnn_status",
    "cublas_status",
)
"""Words of error messages after which the GPU no longer works in this process."""
MEMORY_WORDS = ("out of memory", "alloc_failed")
"""Words of error messages about missing GPU memory."""
LEAVE_SECONDS = 15.0
"""Seconds for a worker with a failing GPU to close gracefully."""


def prepare_device(name: str) -> torch.device:
    """The device of this process, set up for exact float32 and deterministic algorithms.

    Raises MachineError (E_NO_GPU) if torch can use no GPU.
    """
    if name != "cuda":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise MachineError(
            f"this run computes on GPUs, and one of its processes has no usable GPU ({gpu_fault()}). Give every worker "
            "a GPU, or begin again with --device cpu.",
            "E_NO_GPU",
        )
    # Exact float32 and fixed algorithms: a resumed run gives the results of an uninterrupted one.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    return torch.device("cuda", 0)


def gpu_readiness() -> tuple[str, bool]:
    """(fault of this process's GPU, whether it computes bf16 natively); opens a CUDA context."""
    fault = gpu_fault()
    return fault, not fault and torch.cuda.is_bf16_supported(including_emulation=False)


class GpuStream:
    """A network on a device. `size` patches are computed at once: fewer than a batch after memory ran out."""

    def __init__(self, look: PatchFunction, device: torch.device, *, graphs: bool = True) -> None:
        self._look, self._device = look, device
        self._on: Any = getattr(torch, device.type)  # torch.cuda, or torch.cpu whose streams and events do nothing
        self._copying, self._working = self._on.Stream(), self._on.Stream()
        self._graphs = graphs and device.type == "cuda"
        self._spare: list[_Slot] = []
        self.size = self._stated_size = 0

    def answers(self, batches: Iterator[Array]) -> Iterator[dict[str, Array]]:
        """The results of each batch, in order. Raises MachineError (E_GPU_MEMORY, E_GPU_FAILED)."""
        flying: deque[_Slot] = deque()
        slots: list[_Slot] = []
        try:
            for count, batch in enumerate(batches):
                if count < 2:
                    slots.append(self._slot(batch))
                flying.append(slots[count % 2])
                self._send(flying[-1], batch)
                if len(flying) == 2:
                    yield self._take(flying.popleft())
            while flying:
                yield self._take(flying.popleft())
        finally:
            with suppress(RuntimeError):  # an abandoned unit must leave no work in its slots
                for slot in flying:
                    slot.done.synchronize()
            self._spare += slots

    def _slot(self, batch: Array) -> _Slot:
        while self._spare:
            slot = self._spare.pop()
            if slot.host.shape == batch.shape:
                return slot
        self.size = self._stated_size = self.size or len(batch)
        with gpu_errors(), torch.inference_mode():
            slot = _Slot(batch.shape, torch.from_numpy(batch[:0]).dtype, self._device, self._on)
            self._on.synchronize()  # weights were copied on another stream than the one that reads them
            return slot

    def _send(self, slot: _Slot, batch: Array) -> None:
        """Queue the copy and the work; the GPU does them while this process continues."""
        slot.host.numpy()[:] = batch
        with gpu_errors(), torch.inference_mode():
            with self._on.stream(self._copying):
                slot.on_gpu.copy_(slot.host, non_blocking=True)
                slot.copied.record(self._copying)
            with self._on.stream(self._working):
                slot.copied.wait(self._working)
                self._work(slot)
                for name, values in slot.results.items():
                    slot.back[name].copy_(values, non_blocking=True)
                slot.done.record(self._working)

    def _take(self, slot: _Slot) -> dict[str, Array]:
        with gpu_errors():
            slot.done.synchronize()
            return {name: values.numpy().copy() for name, values in slot.back.items()}

    def _work(self, slot: _Slot) -> None:
        while True:
            size = self.size
            try:
                if self._graphs and slot.size != size:
                    self._capture(slot)
                if slot.graph is not None:
                    slot.graph.replay()
                else:
                    self._compute(slot)
                if size < self._stated_size:
                    self._stated_size = size
                    log.warning("GPU memory is short: %d patches are computed at a time", size)
                return
            except torch.OutOfMemoryError as error:
                self._on.synchronize()
                slot.graph, slot.size = None, 0
                if size // 2 < MIN_PATCHES_AT_ONCE:
                    raise _no_room(f"{size} patches at a time", str(error).splitlines()[0]) from error
            if size == self.size:
                self.size = size // 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _compute(self, slot: _Slot) -> None:
        for at in range(0, len(slot.on_gpu), self.size):
            rows = slice(at, at + self.size)
            for name, values in self._look(slot.on_gpu[rows]).items():
                slot.buffer(name, values)[rows] = values

    def _capture(self, slot: _Slot) -> None:
        """Capture the work on a slot as a CUDA graph; if that fails, plain calls are used from then on."""
        slot.graph, slot.size = None, self.size
        for _ in range(WARMUP_CALLS):
            self._compute(slot)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._working, capture_error_mode="thread_local"):
                self._compute(slot)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if is_gpu_failure(error):
                raise
            self._graphs = False
            log.warning(
                "no CUDA graph could be captured (%s): the network runs without one", str(error).splitlines()[0]
            )
        else:
            slot.graph = graph


class _Slot:
    """Buffers of one batch and its results on host and GPU; a graph needs fixed addresses."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, on: Any) -> None:
        self._pinned = device.type == "cuda"
        self.host = torch.empty(shape, dtype=dtype, pin_memory=self._pinned)
        self.on_gpu = torch.empty(shape, dtype=dtype, device=device)
        self.results: dict[str, Tensor] = {}
        self.back: dict[str, Tensor] = {}
        waiting = {"blocking": True} if self._pinned else {}  # a waiting thread sleeps, so that others can decode
        self.copied, self.done = on.Event(), on.Event(**waiting)
        self.graph: Any = None
        self.size = 0
        """Patches at once with which the graph was captured."""

    def buffer(self, name: str, values: Tensor) -> Tensor:
        """Buffer on the device for the results of that name, for the whole batch."""
        if name not in self.results:
            shape = (len(self.on_gpu), *values.shape[1:])
            self.back[name] = torch.empty(shape, dtype=values.dtype, pin_memory=self._pinned)
            self.results[name] = torch.empty(shape, dtype=values.dtype, device=self.on_gpu.device)
        return self.results[name]


def is_gpu_failure(error: BaseException) -> bool:
    """Whether an error is a failure of the GPU itself, after which nothing works on it."""
    text = str(error).lower()
    if is_out_of_memory(error) or "captur" in text or "nccl" in text:  # a lost peer is no fault of this GPU
        return False
    accelerator = getattr(torch, "AcceleratorError", None)  # torch 2.8 and later
    known = accelerator is not None and isinstance(error, accelerator)
    return known or (isinstance(error, RuntimeError) and any(words in text for words in FAILURE_WORDS))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that GPU memory is too short."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error).lower() for words in MEMORY_WORDS)


@contextmanager
def gpu_errors() -> Iterator[None]:
    """Turns GPU errors into MachineError; a worker whose GPU fails leaves, so that its units move to others."""
    try:
        yield
    except RuntimeError as error:
        check_gpu_error(error)
        raise


def check_gpu_error(error: RuntimeError) -> None:
    """Raise MachineError (E_GPU_MEMORY, E_GPU_FAILED) for an error of the GPU, on a worker whose GPU fails after it left."""
    message = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        raise _no_room("a single batch", message) from error
    if not is_gpu_failure(error):
        return
    leave_worker(message)
    raise MachineError(
        f"the GPU fails ({message}). Written results are safe: check the GPU with `nvidia-smi -q`, then "
        "run the same command again.",
        "E_GPU_FAILED",
    ) from error


def _no_room(what: str, message: str) -> MachineError:
    return MachineError(
        f"the GPU has no memory for {what} ({message}). End other work on the GPU (see `nvidia-smi`), or begin again with "
        "--device cpu.",
        "E_GPU_MEMORY",
    )


def leave_worker(reason: str) -> None:
    """On a dask worker: end the process, without returning, so that its unit is repeated elsewhere and not marked as failed."""
    if "distributed" not in sys.modules:
        return
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # the run's own process
        return
    log.error("worker %s stops: its GPU fails (%s)", worker.address, reason)
    sys.stderr.write(
        f"the GPU of worker {worker.address} fails ({reason}): the worker stops, and other workers take its units.\n"
    )
    worker.loop.add_callback(worker.close_gracefully, reason="its GPU fails")
    time.sleep(LEAVE_SECONDS)
    os._exit(1)

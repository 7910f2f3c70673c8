"""trial: one reading in a forked child with limits of memory and time, and its outcome."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tile_engine.errors import TileEngineError

MAX_TOUCHED_BYTES = 2 * 2**30
"""Bytes that a reading may touch; above it, it counts as `memory`."""
MAX_ADDRESSED_BYTES = 6 * 2**30
"""Bytes of address space beyond the parent's: what would harm the machine fails within the child."""
CPU_SECONDS = 10
"""Seconds of computing, after which a reading counts as `hang`; waiting counts to WALL_SECONDS."""
WALL_SECONDS = 60.0
FINDINGS = ("escape", "crash", "hang", "memory")
"""Outcomes that are faults; the others are "ok" and "error"."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one reading."""

    kind: str
    text: str = ""
    """Code and message of an error of ours; the traceback of an escape; the signal of a crash."""
    seconds: float = 0.0


def tried(read: Callable[[], str]) -> Outcome:
    """The outcome of `read` in a forked child. `read` returns the code of an error that it met and went on from, or ""."""
    inlet, outlet = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(inlet)
        _child(read, outlet)
    os.close(outlet)
    answer, in_time = b"", True
    with os.fdopen(inlet, "rb") as stream:
        while True:
            left = began + WALL_SECONDS - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                in_time = False
                os.kill(child, signal.SIGKILL)
                break
            if not (part := os.read(stream.fileno(), 1 << 16)):
                break
            answer += part
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - began
    if not in_time:
        return Outcome("hang", f"no end within {WALL_SECONDS:g} s", seconds)
    if usage.ru_maxrss * 1024 > MAX_TOUCHED_BYTES:
        return Outcome(
            "memory", f"{usage.ru_maxrss / 2**20:.1f} GiB touched\n{answer.decode(errors='replace')}", seconds
        )
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Outcome("hang" if number == signal.SIGXCPU else "crash", signal.Signals(number).name, seconds)
    if not answer:
        return Outcome("crash", f"exit status {os.waitstatus_to_exitcode(status)} without an answer", seconds)
    kind, text = json.loads(answer)
    return Outcome(kind, text, seconds)


PRELOADED = (
    "PIL.Image", "PIL.BmpImagePlugin", "PIL.Jpeg2KImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.WebPImagePlugin",
    "anndata", "cv2", "imagecodecs", "nibabel", "nibabel.freesurfer", "nibabel.orientations", "nrrd", "numcodecs", "openslide",
    "pydicom", "pydicom.pixels", "pydicom.pixels.processing", "scipy.ndimage", "simplejpeg", "skimage.draw", "tifffile",
    "torch", "zarr", "google_crc32c", "safetensors.torch",
)  # fmt: skip
"""Libraries that the parent imports, so that no child has to; those that are not installed are left out."""


def preload() -> None:
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _child(read: Callable[[], str], outlet: int) -> None:
    """In the child: read within the limits, answer, and end without the parent's clean-up."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    with open("/proc/self/statm") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_ADDRESSED_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        code = read()
        answer = ("error", code) if code else ("ok", "")
    except TileEngineError as error:
        answer = _ours(error)
    except MemoryError:
        answer = ("memory", traceback.format_exc())
    except BaseException:  # noqa: BLE001 - what escapes is what is looked for
        answer = ("escape", traceback.format_exc())
    os.write(outlet, json.dumps(answer).encode())
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    os._exit(0)


def _ours(error: TileEngineError) -> tuple[str, str]:
    """An error of our tree, if it can be shown: its text must be text that a terminal and a document take."""
    try:
        error.message.encode()
    except UnicodeEncodeError:
        return "escape", f"{error.code}: the message cannot be written: {error.message!r}"
    return "error", f"{error.code}: {error.message}"

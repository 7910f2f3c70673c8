"""trial: readings in forked children with limits of memory and time, and their outcomes.

```text
parent -- fork --> child: reading, answer, reading, answer ...    a crash, a hang or too much memory ends the child;
       <-- answers ------                                         the next one goes on behind the reading that ended it
```
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tile_engine.errors import TileEngineError

MAX_TOUCHED_BYTES = 2 * 2**30
"""Bytes that a child may touch; above it, the reading counts as `memory`."""
MAX_ADDRESSED_BYTES = 6 * 2**30
"""Bytes of address space beyond the parent's: what would harm the machine fails within the child."""
CPU_SECONDS = 10
"""Seconds of computing, after which a reading counts as `hang`; waiting counts to WALL_SECONDS."""
WALL_SECONDS = 60.0
OUTCOMES = ("ok", "error", "caught")
"""Outcomes that are no faults; "caught" is an error that only the border around all readers made: its reader can be better."""
FINDINGS = ("escape", "crash", "hang", "memory")
"""Outcomes that are faults."""
PRELOADED = (
    "PIL.Image", "PIL.BmpImagePlugin", "PIL.Jpeg2KImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin", "anndata", "cv2", "imagecodecs", "nibabel", "nibabel.freesurfer", "nibabel.orientations", "nrrd",
    "numcodecs", "openslide", "pydicom", "pydicom.pixels", "pydicom.pixels.processing", "scipy.ndimage", "simplejpeg",
    "skimage.draw", "tifffile", "torch", "zarr", "google_crc32c", "safetensors.torch",
)  # fmt: skip
"""Libraries that the parent imports, so that no child has to; those that are not installed are left out."""

Reading = Callable[[], str]
"""Reads something; returns the error of ours that it met and went on from, or ""."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one reading."""

    kind: str
    text: str = ""
    """Code and message of an error of ours; the traceback of an escape; the signal of a crash."""
    seconds: float = 0.0


def preload() -> None:
    """Import what children need, and keep the collector from touching it in each of them."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def outcomes(readings: Sequence[Reading], restore: Callable[[], None] = lambda: None) -> list[Outcome]:
    """The outcome of each reading, in order; `restore` is called behind one that ended its child."""
    found: list[Outcome] = []
    while len(found) < len(readings):
        more, ended = _in_one_child(readings[len(found) :])
        found += more
        if ended is not None:
            restore()
            found.append(ended)
    return found


def _in_one_child(readings: Sequence[Reading]) -> tuple[list[Outcome], Outcome | None]:
    """(outcomes of the readings that one child did, outcome of the one that ended it)."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        os.close(inlet)
        _child(readings, outlet)
    os.close(outlet)
    found: list[Outcome] = []
    text, began, in_time = b"", time.monotonic(), True
    with os.fdopen(inlet, "rb") as stream:
        while True:
            left = began + WALL_SECONDS - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                in_time = False
                os.kill(child, signal.SIGKILL)
                break
            if not (part := os.read(stream.fileno(), 1 << 16)):
                break
            *lines, text = (text + part).split(b"\n")
            for line in lines:
                found.append(Outcome(*json.loads(line), seconds=time.monotonic() - began))
                began = time.monotonic()
    _, status, _ = os.wait4(child, 0)
    if len(found) == len(readings) or (found and found[-1].kind == "memory"):
        return found, None
    if not in_time:
        return found, Outcome("hang", f"no end within {WALL_SECONDS:g} s", WALL_SECONDS)
    code = os.waitstatus_to_exitcode(status)
    name = signal.Signals(-code).name if code < 0 else f"exit status {code} without an answer"
    return found, Outcome("hang" if name == "SIGXCPU" else "crash", name, time.monotonic() - began)


def _child(readings: Sequence[Reading], outlet: int) -> NoReturn:
    """In the child: read within the limits, answer line by line, and end without the parent's clean-up."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_ADDRESSED_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for reading in readings:
        seconds = int(time.process_time()) + 1 + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        kind, text = _answer(reading)
        if kind == "error" and "fails unexpectedly" in text:
            kind = "caught"
        touched = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if touched > MAX_TOUCHED_BYTES:
            kind, text = "memory", f"{touched / 2**30:.1f} GiB were touched\n{text}"
        os.write(outlet, json.dumps([kind, text]).encode() + b"\n")
        if kind == "memory":
            break
    sys.stdout.flush()
    os._exit(0)


def _answer(reading: Reading) -> tuple[str, str]:
    try:
        text = reading()
        return ("error", text) if text else ("ok", "")
    except TileEngineError as error:
        return "error", f"{error.code}: {error.message}"
    except MemoryError:
        return "memory", traceback.format_exc()
    except BaseException:  # noqa: BLE001 - what escapes is what is looked for
        return "escape", traceback.format_exc()

"""Doctor: checks, before a run, what would otherwise fail late: codecs, readers, GPU, write speed, memory, workers."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import TileEngineError, TileError
from ...stores.files import partial_path
from ...stores.frame import Box
from ...stores.remote import absolute
from ...stores.shard import Codec, CodecName, ShardLayout, decode_shard, encode_shard
from ...stores.slides.reader import SLIDE_READERS
from ..compute.gpus import gpus
from ..compute.machine import available_memory, bf16_instructions, cores
from ..compute.patch_network import bf16_gain
from ..workers.placement import ClusterOptions
from ..workers.pool import worker_pool
from ..workers.preflight import WorkerCheck, ask_workers, versions, worker_table

CODECS: tuple[CodecName, ...] = ("zstd", "lz4", "none")
MEGABYTES = 256
"""Megabytes written to measure a folder's write speed."""
SLOW = 50.0
"""MB/s. A slower folder delays a run, as two cores convert slides faster than this."""
ROOM = 20e9
"""Bytes of free disk space below which the doctor warns."""
WORTH = 1.1
"""Gain below which bf16 is not worth its rounding."""
MEMORY = 2e9
"""Bytes of memory that one worker and the run's own process may need."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, shown as one line."""

    name: str
    state: str
    """ok, warning or problem."""
    text: str
    """The finding and, where the state is not ok, the remedy."""


def examine(where: ClusterOptions, out: str | Path | None = None) -> Iterator[Check]:
    """Run every check that needs no slides, one after another. A check that raises is reported as a problem."""
    looks: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("versions", _versions),
        ("memory", _memory),
        ("codecs", _codecs),
        ("readers", _readers),
        ("damaged tiles", _jpeg),
        ("cpu", _cpu),
        ("gpu", _gpu),
        ("workers", lambda: _workers(where, out)),
    ]
    if out is not None:
        looks.insert(2, ("out", lambda: _folder(absolute(out))))
    for name, look in looks:
        try:
            yield from look()
        except TileEngineError as error:
            yield Check(name, "problem", f"[{error.code}] {error.message}")
        except Exception as error:  # noqa: BLE001 - the doctor reports any failure as a problem
            text = " ".join(f"{type(error).__name__}: {error}".split())
            yield Check(
                name, "problem", f"{text}: the check itself failed. Install tile-engine again, and repeat the check"
            )


def _versions() -> Iterator[Check]:
    yield Check("versions", "ok", ", ".join(f"{name} {version}" for name, version in versions().items()))


def _memory() -> Iterator[Check]:
    memory = available_memory()
    text = f"{memory / 1e9:.1f} GB free, {cores()} cores"
    shortage = memory < MEMORY
    yield Check(
        "memory",
        "warning" if shortage else "ok",
        f"{text}: close other programs, or use one worker" if shortage else text,
    )


def _codecs() -> Iterator[Check]:
    """Encode and decode a block with every codec of the store."""
    import numpy as np

    block = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    for name in CODECS:
        data = b"".join(encode_shard(block, (32, 32), Codec(name)))
        layout = ShardLayout((64, 64), (32, 32), block.dtype, Codec(name))
        decoded = np.zeros_like(block)
        reader = partial(_piece, data)
        decode_shard(reader, len(data), layout, box=Box((0, 0), (64, 64)), out=decoded, name=f"a {name} shard")
        match = bool((decoded == block).all())
        yield Check(
            f"codec {name}", "ok" if match else "problem", "reads what it wrote" if match else "decodes to other values"
        )


def _piece(data: bytes, length: int, offset: int) -> bytes:
    return data[offset : offset + length]


def _readers() -> Iterator[Check]:
    """Read a small JPEG slide with both slide readers (tiff, openslide)."""
    import numpy as np

    from ...stores.slides.synthetic import write_demo_pyramid

    square = _square()
    with tempfile.TemporaryDirectory(prefix="tile-engine-") as folder:
        path = Path(folder) / "slide.tif"
        write_demo_pyramid(path, square)
        for reader in SLIDE_READERS:
            if reader.name in ("tiff", "openslide"):
                pixels = reader.open(path, "")
                crop = pixels.read(Box((64, 64), (320, 320)), 0).transpose(1, 2, 0)
                pixels.close()
                match = int(np.abs(crop.astype(int) - square[64:320, 64:320]).max()) < 24
                yield Check(
                    f"reader {reader.name}",
                    "ok" if match else "problem",
                    "reads JPEG" if match else "decodes JPEG to other pixels",
                )


def _square() -> Any:
    """A picture of 600 x 600 pixels (y, x, channel)."""
    import numpy as np

    wave = (np.sin(np.arange(600) / 40.0) * 90 + 128).astype(np.uint8)
    return np.broadcast_to(wave[:, None, None], (600, 600, 3)).copy()


def _jpeg() -> Iterator[Check]:
    """Change bytes in the middle of a small JPEG slide: its reader must notice them."""
    from ...stores.slides.synthetic import write_demo_pyramid

    with tempfile.TemporaryDirectory(prefix="tile-engine-") as folder:
        path = Path(folder) / "slide.tif"
        write_demo_pyramid(path, _square())
        data = bytearray(path.read_bytes())
        middle = len(data) // 3
        data[middle : middle + 64] = bytes(64)
        path.write_bytes(data)
        pixels = next(reader for reader in SLIDE_READERS if reader.name == "tiff").open(path, "")
        try:
            pixels.read(Box((0, 0), pixels.described.shapes[0]), 0)
            noticed = False
        except TileError:
            noticed = True
        pixels.close()
    if noticed:
        yield Check("damaged tiles", "ok", "changed bytes inside JPEG tiles are noticed")
    else:
        yield Check("damaged tiles", "problem", "changed bytes inside JPEG tiles are not noticed: reinstall simplejpeg")


def _cpu() -> Iterator[Check]:
    """What the processor has for bf16, in which networks are applied and trained by choice only."""
    names = bf16_instructions()
    if names is None:
        text = "the kernel does not tell what the processor has for it"
    elif not names:
        text = "the processor has no instructions for it: leave out --dtype bf16 and --training-dtype bf16"
    else:
        gain = bf16_gain()
        text = f"the processor has {' and '.join(names)} for it; a network is applied {gain:.2f} times as fast as in float32"
        if gain < WORTH:
            text += ": leave out --dtype bf16 and --training-dtype bf16"
    yield Check("cpu bf16", "ok", text)


def _gpu() -> Iterator[Check]:
    import importlib.util

    cards = gpus()
    if not cards:
        yield Check("gpu", "ok", "`nvidia-smi` lists none: all work is done on the CPU")
        return
    yield Check("gpu", "ok", ", ".join(map(str, cards)))
    if versions()["torch"].endswith("+cpu"):
        yield Check("gpu torch", "warning", "torch is built without CUDA and cannot use it: install its CUDA build")
    for name, use in (("dask_cuda", "one worker per GPU"), ("cupy", "array operations on the GPU")):
        there = importlib.util.find_spec(name) is not None
        text = "is installed" if there else "is missing: install tile-engine[cuda]"
        yield Check(f"gpu {name}", "ok" if there else "warning", f"{text} ({use})")


def _folder(out: Path) -> Iterator[Check]:
    """Measure write speed with one temporary file, and free space where the path is on a disk."""
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        rate, free_bytes = _probed(out, new_folders)
    except OSError as error:
        text = f"{out} cannot be written ({error.strerror}): free some space, correct its permissions, or choose another folder"
        yield Check("out", "problem", text)
        return
    slow = rate < SLOW
    text = f"{out} is written at {rate:,.0f} MB/s by one process"
    yield Check("out speed", "warning" if slow else "ok", f"{text}: a faster disk would help" if slow else text)
    if free_bytes is not None:
        shortage = free_bytes < ROOM
        text = f"{free_bytes / 1e9:.1f} GB free"
        yield Check(
            "out room", "warning" if shortage else "ok", f"{text}: large cohorts need more" if shortage else text
        )


def _probed(out: Path, new_folders: list[Path]) -> tuple[float, int | None]:
    """Write speed in MB/s, and free bytes (None for object stores). Creates `new_folders` and removes them again."""
    out.mkdir(parents=True, exist_ok=True)
    probe = partial_path(out / "doctor")
    block = os.urandom(1 << 20)
    try:
        rate = _written(probe, block)
        return rate, shutil.disk_usage(out).free if "://" not in str(out) else None
    finally:
        probe.unlink(missing_ok=True)
        for folder in new_folders:
            folder.rmdir()


def _written(probe: Path, block: bytes) -> float:
    """Write speed in MB/s, including fsync on a disk."""
    began = time.perf_counter()
    if "://" in str(probe):
        probe.write_bytes(block * 16)
        return 16 / (time.perf_counter() - began)
    with probe.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return MEGABYTES / (time.perf_counter() - began)


def _workers(where: ClusterOptions, out: str | Path | None) -> Iterator[Check]:
    from ..workers.launch import exposure_warning

    with worker_pool(where) as pool:
        yield Check("workers", "ok", pool.description)
        if pool.client is None:
            return
        warning = exposure_warning(pool.client.scheduler.address)
        if warning:
            yield Check("workers", "warning", warning)
        folder = "" if out is None else str(absolute(out))
        rows: tuple[Any, ...] = ask_workers(pool.client, WorkerCheck(folder if _there(folder) else "", gpu=pool.gpu))
    for row in rows:
        if row.faults:
            yield Check("worker", "problem", f"{row.host or 'unknown host'} ({row.worker}): {'; '.join(row.faults)}")
    for line in worker_table(row for row in rows if not row.faults).splitlines():
        yield Check("worker", "ok", line)


def _there(folder: str) -> bool:
    """Whether the folder exists. If not, the workers do not check it, as the doctor must leave no folder behind."""
    return bool(folder) and absolute(folder).is_dir()

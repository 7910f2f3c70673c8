"""Fixtures of the engine's tests: faults that are planted into real processes, and dask clusters as a person starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tile_engine.engine.pipeline.documents import CacheRecord, RunDocument

SITE = """
import os, signal, threading, time, traceback

def plant(slide, index, fault, marker):
    from tile_engine.stores.slides import tiff_reader, tiff_segments

    def strike():
        if fault == "hang" and any(frame.name == "_packed" for frame in traceback.extract_stack()):
            return  # the estimate, which takes half a minute to give up
        if marker:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
        if fault == "hang":
            time.sleep(600)
        signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)  # to this thread: it does nothing more, as after a real one

    if fault == "open":
        whole = tiff_reader.TiffPixels.__init__

        def __init__(self, path, *more):
            if path.name == slide:
                strike()
            whole(self, path, *more)

        tiff_reader.TiffPixels.__init__ = __init__
        return
    segment = tiff_segments.Segments._segment

    def _segment(self, i):
        if i == int(index) and self._name.endswith(slide):
            strike()
        return segment(self, i)

    tiff_segments.Segments._segment = _segment

if "PLANTED" in os.environ:
    plant(*os.environ["PLANTED"].split(":"))
"""


@pytest.fixture
def planted(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return lambda *words, **options: planted_in(tmp_path, *words, **options)


@pytest.fixture(name="planted_in", scope="session")
def _planted_in() -> Callable[..., dict[str, str]]:
    return planted_in


def planted_in(folder: Path, slide: str, fault: str, *, tile: int = 0, once: bool = False) -> dict[str, str]:
    """An environment in which decoding a tile of `slide` (its running number) crashes or hangs, or opening it crashes, in
    every process that is started with it. `once`: the first time only."""
    (folder / "planted").mkdir(exist_ok=True)
    (folder / "planted" / "sitecustomize.py").write_text(SITE)
    marker = str(folder / "struck") if once else ""
    paths = [str(folder / "planted"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PLANTED": f"{slide}:{tile}:{fault}:{marker}"}


@dataclass(frozen=True)
class ByHand:
    """A scheduler and two workers that were started by hand."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def started_by_hand(folder: Path) -> Iterator[ByHand]:
    """`dask scheduler` and two `dask worker`, as a person starts them, at another address; ended by their own ids.

    The scheduler writes `scheduler.json` into the folder.
    """
    file = folder / "scheduler.json"
    local = ["--scheduler-file", str(file), "--no-dashboard", "--host"]
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        command = [sys.executable, "-m", "dask", *words]
        started.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    try:
        start("scheduler", *local, "127.0.0.1", "--port", "0")
        for number in "12":
            scratch = ["--local-directory", str(folder / number)]
            start("worker", *local, "127.0.0.2", "--nthreads", "1", "--death-timeout", "300", *scratch)
        limit = time.monotonic() + 300
        while not file.exists() or not file.read_text().endswith("}"):
            assert time.monotonic() < limit and started[0].poll() is None
            time.sleep(0.1)
        yield ByHand(json.loads(file.read_text())["address"], started[0], tuple(started[1:]))
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


@pytest.fixture(name="started_by_hand", scope="session")
def _started_by_hand() -> Callable[[Path], AbstractContextManager[ByHand]]:
    return started_by_hand


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[ByHand]:
    with started_by_hand(tmp_path) as cluster:
        yield cluster


def descendants(pid: int) -> list[int]:
    """Processes below a process, the youngest last."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


@pytest.fixture(name="descendants")
def _descendants() -> Callable[[int], list[int]]:
    return descendants


@pytest.fixture
def begun_run() -> Callable[..., RunDocument]:
    """run.json of a run without results, with whatever a test wants otherwise."""
    return partial(
        RunDocument,
        tile_engine="0.1.0",
        status="running",
        command="cluster",
        variant="slides",
        input="/slides",
        settings={},
        spacing=0.5,
        ignored=(),
        cache=CacheRecord(folder=None, limit=None),
        fingerprints={},
        steps={},
        versions={},
    )

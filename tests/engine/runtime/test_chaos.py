"""Chaos: processes of a run are killed at random moments, in chains, until enough have died; then it ends with the same bytes.

`make chaos` asks for hundreds of kills and takes its time; the suite asks for eight.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("cluster")

KILLS = int(os.environ.get("TILE_ENGINE_KILLS", "8"))
SEED = int(os.environ.get("TILE_ENGINE_CHAOS_SEED", "0"))

Below = Callable[[int], list[int]]
Victims = Callable[[], list[tuple[str, int]]]
"""Kind and id of processes that a run lives on."""


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def workers_of(run: int, descendants: Below) -> list[int]:
    """The dask workers that a run has started: processes spawned by its nannies."""
    return [pid for pid in descendants(run) if "spawn_main" in command_line(pid)]


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def strike(process: subprocess.Popen[bytes], draw: random.Random, victims: Victims) -> Counter[str]:
    """Kill what a run lives on, one after another, where there is anything; then the run itself: what has died, by kind."""
    dead: Counter[str] = Counter()
    for _ in range(draw.randrange(1, 4)):
        wait(process, draw.uniform(0.0, 3.0))
        there = victims()
        if process.poll() is not None or not there:
            break
        doomed = there if draw.random() < 0.25 else [draw.choice(there)]  # all at once, or one
        for kind, pid in doomed:
            dead[kind] += kill(pid)
    wait(process, draw.uniform(0.0, 4.0))
    if process.poll() is None:
        dead["run"] += kill(process.pid)
    return dead


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)


@pytest.mark.timeout(120 + 60 * KILLS)
def test_a_run_whose_processes_are_killed_again_and_again_ends_with_the_same_bytes(
    mini: Any, tmp_path: Path, descendants: Below, started_by_hand: Callable[[Path], AbstractContextManager[Any]]
) -> None:
    draw = random.Random(SEED)
    out = tmp_path / "out"
    dead: Counter[str] = Counter()
    runs = 0
    while dead.total() < KILLS:
        runs += 1
        where = draw.choice(("here", "here", "local", "local", "by hand"))
        with ExitStack() as stack:
            options, others = [], []
            if where == "local":
                options = ["--cluster", "local", "--workers", "2"]
            elif where == "by hand":
                (folder := tmp_path / f"cluster-{runs}").mkdir()
                cluster = stack.enter_context(started_by_hand(folder))
                options = ["--scheduler-address", cluster.address, "--wait", "10"]
                others = [("scheduler", cluster.scheduler.pid)]
                others += [("worker", pid) for hand in cluster.workers for pid in descendants(hand.pid) or [hand.pid]]
            process = subprocess.Popen(
                [*mini.again(out), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

            def victims(run: int = process.pid, others: Sequence[tuple[str, int]] = others) -> list[tuple[str, int]]:
                return [*others, *(("worker", pid) for pid in workers_of(run, descendants))]

            wait(process, 2.0)
            begun = time.monotonic()
            while where == "local" and process.poll() is None and not victims():
                assert time.monotonic() < begun + 60, "no worker was ever started"
                wait(process, 0.1)
            dead += strike(process, draw, victims)
        if (out / "report.html").exists() and draw.random() < 0.5:
            undo(out, draw)  # all is done and there is more to kill: some of it is to be made again
    last = subprocess.run(mini.again(out), capture_output=True, text=True, timeout=300, check=False)
    assert last.returncode == 0, last.stderr
    print(f"killed {dict(dead)} in {runs} runs (seed {SEED})")
    assert mini.results(out) == mini.results(mini.out)
    assert not [p for p in out.rglob("*") if ".partial" in p.name or p.name == "lock.json"]


def undo(out: Path, draw: random.Random) -> None:
    """Remove some receipts, as if those units had never come to their end."""
    receipts = sorted((out / "receipts").rglob("*.json"))
    for path in draw.sample(receipts, k=max(1, len(receipts) // 2)):
        path.unlink()

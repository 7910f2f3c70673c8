"""Chaos: processes of a run are killed at random moments, in chains, until enough have died; then it ends with the same bytes.

`make chaos` asks for hundreds of kills and takes its time; the suite asks for thirty.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = int(os.environ.get("TILE_ENGINE_KILLS", "30"))
SEED = int(os.environ.get("TILE_ENGINE_CHAOS_SEED", "0"))

Below = Callable[[int], list[int]]


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


def strike(process: subprocess.Popen[bytes], draw: random.Random, descendants: Below) -> Counter[str]:
    """Kill workers one after another, or all at once, where there are any; then the run itself: what has died, by kind."""
    dead: Counter[str] = Counter()
    for _ in range(draw.randrange(1, 4)):
        wait(process, draw.uniform(0.0, 3.0))
        workers = workers_of(process.pid, descendants)
        if process.poll() is not None or not workers:
            break
        doomed = workers if draw.random() < 0.25 else [draw.choice(workers)]
        dead["worker"] += sum(map(kill, doomed))
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
    mini: Any, tmp_path: Path, descendants: Below
) -> None:
    draw = random.Random(SEED)
    out = tmp_path / "out"
    dead: Counter[str] = Counter()
    runs = 0
    while dead.total() < KILLS:
        local = draw.random() < 0.5
        options = ["--cluster", "local", "--workers", "2"] if local else []
        with subprocess.Popen(
            [*mini.again(out), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            runs += 1
            try:
                begun = time.monotonic()
                wait(process, 2.0)
                while local and process.poll() is None and not workers_of(process.pid, descendants):
                    assert time.monotonic() < begun + 60, "no worker was ever started"
                    wait(process, 0.1)
                dead += strike(process, draw, descendants)
            finally:
                process.kill()
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

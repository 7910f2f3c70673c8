"""The loop: a run that is killed at any moment goes on with the same command and ends with the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tile_engine.models.training import checkpoint

STEPS = (
    "overview",
    "pixels",
    "draw",
    "autoencoder",
    "autoencoder",
    "heads",
    "fine_tune",
    "tiles",
    "table",
    "pictures",
    "report",
)
"""Where each kill falls, about: a step has begun, and a random while has passed."""


def read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def kill_in(process: subprocess.Popen[str], out: Path, step: str, after: float) -> bool:
    """Kill -9 once the process is at work and `step` has begun; false where it ended by itself before."""
    halfway = out / "models" / "heads.training.safetensors"
    limit = time.monotonic() + 120
    while process.poll() is None:
        assert time.monotonic() < limit, f"step {step} was never reached"
        at_work = read(out / "lock.json").get("pid") == process.pid
        begun = step in read(out / "run.json").get("steps", {})
        if at_work and begun and (step != "heads" or halfway.exists()):
            if step == "heads":
                assert checkpoint.load_checkpoint(halfway)[1]["next"] == 25
            else:
                time.sleep(after)
            process.kill()
            break
        time.sleep(0.005)
    process.communicate(timeout=120)
    return process.returncode == -signal.SIGKILL


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_ten_kills_in_a_row_leave_the_bytes_of_an_undisturbed_run(mini: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    moments = random.Random(7)
    kills = 0
    for step in STEPS:
        process = subprocess.Popen(mini.again(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        kills += kill_in(process, out, step, after=moments.uniform(0, 0.35))
    assert kills >= 10
    last = subprocess.run(mini.again(out), capture_output=True, text=True, timeout=200, check=False)
    assert last.returncode == 0, last.stderr
    assert mini.results(out) == mini.results(mini.out)
    left = [p.name for p in out.rglob("*") if ".partial" in p.name or ".part" in p.suffixes or p.name == "lock.json"]
    assert left == [], "nothing half-written stays"
    assert read(out / "run.json")["status"] == "done"


def test_the_same_command_on_a_finished_run_writes_no_result_again(mini: Any) -> None:
    """Nor does it take long: receipts say that all is done."""
    import tile_engine
    from tile_engine import ClusterOptions, RunOptions

    before = {p: p.stat().st_mtime_ns for p in mini.out.rglob("*") if p.is_file()}
    tile_engine.cluster(
        mini.slides, mini.out, options=RunOptions(cluster=ClusterOptions(cluster="none")), **mini.settings
    )
    after = {p: p.stat().st_mtime_ns for p in mini.out.rglob("*") if p.is_file()}
    changed = {
        p.relative_to(mini.out).as_posix() for p in before.keys() | after.keys() if before.get(p) != after.get(p)
    }
    assert changed <= {"run.json", "slides.json", "rejected.json", "log.txt"}


@pytest.mark.parametrize("damage", ["lost", "cut short", "empty"])
def test_a_damaged_file_is_made_anew_and_nothing_else(mini: Any, tmp_path: Path, damage: str) -> None:
    import tile_engine
    from tile_engine import ClusterOptions, RunOptions

    out = mini.copy(tmp_path / "out")
    shard = next(iter(sorted(out.glob("slides/b-*.ome.zarr/layers/confidence/0/c/0/0/0"))))
    whole = shard.read_bytes()
    if damage == "lost":
        shard.unlink()
    else:
        shard.write_bytes(whole[: len(whole) // 2] if damage == "cut short" else b"")
    models = {p: p.stat().st_mtime_ns for p in (out / "models").iterdir()}
    tile_engine.cluster(mini.slides, out, options=RunOptions(cluster=ClusterOptions(cluster="none")), **mini.settings)
    assert shard.read_bytes() == whole
    assert mini.results(out) == mini.results(mini.out)
    assert {p: p.stat().st_mtime_ns for p in (out / "models").iterdir()} == models

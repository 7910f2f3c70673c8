"""Whole runs in an object store: the same bytes as on disk, whatever the store and the client go through on the way."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tile_engine
from tile_engine.engine.maintenance.describe import describe
from tile_engine.engine.maintenance.status import status
from tile_engine.errors import MachineError, SettingsError
from tile_engine.stores.lock import Lock
from tile_engine.stores.remote import ObjectPath, to_path

PROXY = Path(__file__).parents[2] / "faulty_proxy.py"
STEPS_TO_KILL = ("pixels", "heads", "tiles") if "TILE_ENGINE_KILLS" in os.environ else ("heads",)
RESULTS = ("slides/", "models/", "tables/", "samples.zarr/", "shares.csv")


def results(out: str) -> dict[str, str]:
    """Key below OUT -> hash, of all that is to be the same; and nothing of it says a secret."""
    root = to_path(out)
    assert isinstance(root, ObjectPath)
    found = {}
    for path, _ in root.listing():
        data, name = path.read_bytes(), path.relative_to(root).as_posix()
        assert not any(os.environ[key].encode() in data for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")), name
        if name.startswith(RESULTS):
            found[name] = hashlib.sha256(data).hexdigest()
    return found


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in: whatever appears there was written to a file named s3:."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    yield tmp_path
    assert not list((tmp_path / "cwd").iterdir())


def test_a_run_leaves_the_same_bytes_as_on_disk_and_opens(mini: Any, lab: Any, scratch: Path) -> None:
    out = f"{lab.url}/runs/first"
    done = mini.cli("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args)
    assert done.returncode == 0, done.stderr
    assert f"report: {out}/report.html" in done.stdout
    assert results(out) == mini.results(mini.out)

    again = mini.cli("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args, "--json")
    assert again.returncode == 0 and results(out) == mini.results(mini.out)

    other = mini.cli("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args, "--samples", "64")
    assert other.returncode == 2 and "E_OTHER_SETTINGS" in other.stderr and "samples" in other.stderr

    local, run = tile_engine.open_run(mini.out), tile_engine.open_run(out)
    assert run.status == "done" and run.exit_status == 0 and run.slides == local.slides
    for slide, image in run.layers("clusters").items():
        assert (image.values == local.layers("clusters")[slide].values).all()
    assert (run.tiles.X == local.tiles.X).all() and run.shares.equals(local.shares)
    assert run.report.read_bytes().startswith(b"<!doctype html>")
    told = status(out)
    assert told.state == "done" and {(s.done, s.total) for s in told.steps} == {
        (s.done, s.total) for s in status(mini.out).steps
    }
    assert dict(describe(out).facts)["run"] == out
    store = describe(f"{out}/slides/{run.slides[0]}.ome.zarr")
    assert dict(store.facts) == dict(describe(mini.out / "slides" / f"{run.slides[0]}.ome.zarr").facts)

    with Lock(to_path(out)):
        refused = mini.cli("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args)
    assert refused.returncode == 6 and f"pid {os.getpid()}" in refused.stderr


@pytest.mark.nightly
def test_slides_in_a_bucket_are_copied_and_read_by_dask_workers(mini: Any, lab: Any, scratch: Path) -> None:
    far = to_path(lab.url) / "slides"
    for path in mini.slides.iterdir():
        (far / path.name).write_bytes(path.read_bytes())
    (far / "broken.svs").write_bytes(b"<html>no slide</html>")
    words = ("--out", f"{lab.url}/run", *mini.args[:-2], "--cluster", "local", "--workers", "2")
    words += ("--cache-dir", scratch / "cache", "--cache-limit", "0.0002")  # 200 kB: not all of them at once
    done = mini.cli("run", "cluster", "--slides", str(far), *words)
    assert done.returncode == 3 and "1 slides were rejected" in done.stderr, done.stderr
    assert results(f"{lab.url}/run") == mini.results(mini.out)
    copies = [p for p in (scratch / "cache").rglob("*") if p.suffix in (".tif", ".svs")]
    assert copies and sum(p.stat().st_size for p in copies) <= 200_000

    path = far / "a.tif"
    path.write_bytes(path.read_bytes() + b"\0")
    changed = mini.cli("run", "cluster", "--slides", str(far), *words)
    assert changed.returncode == 2 and "slide changed: a.tif" in changed.stderr


@contextmanager
def busy(port: int, share: float, seed: int) -> Iterator[tuple[int, list[int]]]:
    """A proxy before the store; at the end the list holds how many requests it saw, and how many it refused."""
    from socket import create_connection, socket

    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mine = int(probe.getsockname()[1])
    command = [sys.executable, str(PROXY), *map(str, (mine, port, share, seed, 900))]
    proxy = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    counts: list[int] = []
    try:
        for _ in range(300):
            try:
                create_connection(("127.0.0.1", mine), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield mine, counts
    finally:
        proxy.terminate()
        counts += map(int, proxy.communicate(timeout=60)[0].split())


def begun(out: str, step: str) -> bool:
    try:
        return step in json.loads((to_path(out) / "run.json").read_text())["steps"]
    except (FileNotFoundError, json.JSONDecodeError):
        return False


@pytest.mark.nightly
def test_a_busy_store_and_a_client_killed_again_and_again_leave_the_same_bytes(
    mini: Any, lab: Any, scratch: Path
) -> None:
    """One request in seven is refused with 503; the client is killed in steps, at moments that a seed draws."""
    import random

    out, delays = f"{lab.url}/run", random.Random(7)
    with busy(lab.port, 1 / 7, seed=3) as (port, counts):
        command = mini.command("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args)
        environment = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        for step in STEPS_TO_KILL:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
            )
            while not begun(out, step):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
            time.sleep(delays.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL, said
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
        assert done.returncode == 0, done.stderr
    assert counts[1] > 20, counts
    assert results(out) == mini.results(mini.out)


@pytest.mark.nightly
def test_a_folder_that_was_copied_to_a_bucket_is_verified_mended_and_gone_on_with(
    mini: Any, lab: Any, scratch: Path
) -> None:
    out = f"{lab.url}/copy"
    for path in mini.out.rglob("*"):
        if path.is_file():
            (to_path(out) / path.relative_to(mini.out).as_posix()).write_bytes(path.read_bytes())
    assert mini.cli("verify", out, "--full").returncode == 0
    slide = tile_engine.open_run(out).slides[0]
    shard = to_path(out) / f"slides/{slide}.ome.zarr/0/c/0/0/0"
    shard.unlink()
    weights = to_path(out) / "models/head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    damaged = mini.cli("verify", out, "--full")
    assert damaged.returncode == 7 and f"{slide}.ome.zarr/0" in damaged.stdout + damaged.stderr
    mended = mini.cli("repair", out, "--cluster", "none")
    assert mended.returncode == 0, mended.stderr
    assert results(out) == mini.results(mini.out)

    words = [*mini.args, "--redo"]
    words[words.index("2-3")] = "2"
    here = mini.copy(scratch / "here")
    for where in (out, here):
        done = mini.cli("run", "cluster", "--slides", mini.slides, "--out", where, *words)
        assert done.returncode == 0, done.stderr
    assert results(out) == mini.results(here) != mini.results(mini.out)


def test_what_cannot_be_had_is_refused_before_work(mini: Any, lab: Any, scratch: Path) -> None:
    with pytest.raises(MachineError, match="the bucket s3://no-such-lab does not exist") as caught:
        tile_engine.cluster(mini.slides, "s3://no-such-lab/run", **mini.settings)
    assert caught.value.code == "E_NO_BUCKET"
    with pytest.raises(SettingsError, match="holds no run"):
        tile_engine.open_run(f"{lab.url}/nothing")
    far = to_path(lab.url) / "slides"
    (far / "a.tif").write_bytes((mini.slides / "a.tif").read_bytes())
    with pytest.raises(SettingsError, match="inside the input"):
        tile_engine.cluster(str(far), f"{far}/out", **mini.settings)

"""Workers: whoever does the units, the bytes are the same; what cannot be reached is named."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.engine.workers.pool import worker_pool
from tile_engine.engine.workers.window import window
from tile_engine.errors import MachineError, SettingsError


def all_but_the_training_undone(mini: Any, out: Path) -> Path:
    """Of a finished run: every store, the samples' pixels, all layers and the table are gone."""
    mini.copy(out)
    for path in (out / "slides", out / "tables", out / "maps", out / "samples.zarr" / "patches" / "c"):
        shutil.rmtree(path)
    return out


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_two_local_workers_leave_the_same_bytes(mini: Any, tmp_path: Path) -> None:
    out = all_but_the_training_undone(mini, tmp_path / "out")
    command = [*mini.again(out), "--cluster", "local", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 dask workers" in done.stderr
    assert mini.results(out) == mini.results(mini.out)


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_scheduler_and_two_workers_started_by_hand_leave_the_same_bytes(
    mini: Any, by_hand: Any, tmp_path: Path
) -> None:
    """The scheduler listens on 127.0.0.1, the workers on 127.0.0.2; a file says where."""
    out = all_but_the_training_undone(mini, tmp_path / "out")
    assert all(address.startswith("tcp://127.0.0.2:") for address in worker_addresses(by_hand.address))
    done = subprocess.run(
        [*mini.again(out), "--scheduler-file", str(tmp_path / "scheduler.json")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 dask workers with 2 threads" in done.stderr and ": 2 workers, 2 threads" in done.stderr
    assert mini.results(out) == mini.results(mini.out)


def worker_addresses(scheduler: str) -> list[str]:
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=300)
        return list(client.scheduler_info(n_workers=-1)["workers"])


@pytest.mark.nightly
@pytest.mark.timeout(200)
def test_one_local_worker_trains_the_same_network(mini: Any, tmp_path: Path) -> None:
    """The nanny tells a worker's libraries to use one thread; the run's own number of threads holds all the same."""
    here, out = (mini.copy(tmp_path / name) for name in ("here", "out"))
    for folder, where in ((here, ("--cluster", "none")), (out, ("--cluster", "local", "--workers", "1"))):
        command = mini.command("train", folder, "--threads", "2", "--redo", *where)
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    assert json.loads((out / "run.json").read_text())["settings"]["threads"] == 2
    assert mini.results(out, "models") == mini.results(here, "models")


def test_the_window_never_holds_more_units_than_it_may_and_loses_none() -> None:
    """Measured from outside: units drawn less results handed back."""
    from distributed import Client, LocalCluster

    drawn, most, back = 0, 0, []

    def units() -> Iterator[int]:
        nonlocal drawn
        for n in range(40):
            drawn += 1
            yield n

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        for result in window(client, lambda n: n * n, units()):
            back.append(result)
            most = max(most, drawn - len(back) + 1)
    assert sorted(back) == [n * n for n in range(40)]
    assert most <= 4


def test_a_scheduler_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda at, timeout, **rest: client(at, timeout="1s", **rest))
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with (
        pytest.raises(MachineError, match=r"tcp://127\.0\.0\.1:9.*dask scheduler") as caught,
        worker_pool(ClusterOptions(scheduler_address="tcp://127.0.0.1:9")),
    ):
        pass
    assert caught.value.exit_status == 5


def test_an_unknown_cluster_is_refused_with_those_that_are_known() -> None:
    with (
        pytest.raises(SettingsError, match="'slurmy' is not known: use none, local, cuda, slurm"),
        worker_pool(ClusterOptions(cluster="slurmy")),
    ):
        pass


@pytest.mark.timeout(200)
def test_a_unit_whose_worker_ended_before_its_answer_was_fetched_is_done_again() -> None:
    from distributed import Client, LocalCluster

    def work(n: int) -> tuple[int, str, int]:
        from distributed import get_worker

        return n, get_worker().address, os.getpid()

    options = {"n_workers": 1, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**options, silence_logs=50) as cluster, Client(cluster, set_as_default=False) as client:
        answers: Iterator[Any] = window(client, work, range(4))
        first, address, pid = next(answers)
        os.kill(pid, signal.SIGKILL)  # the next answer lies there
        while address in client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.01)
        assert sorted([first, *(n for n, _, _ in answers)]) == [0, 1, 2, 3]


PROGRAM = """
import os

from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.engine.workers.pool import worker_pool


def told():
    return [os.environ.get(name) for name in ("KEPT", "GONE", "OMP_NUM_THREADS")]


def tell():
    with worker_pool(ClusterOptions(cluster="local", workers=1)) as pool:
        print(*pool.client.run(told).values())


if __name__ == "__main__":
    os.environ |= {"KEPT": "1", "GONE": "1"}
    tell()
    os.environ["KEPT"] = "2"
    tell()
    del os.environ["GONE"]
    tell()
"""


def test_forked_workers_have_the_programs_variables_and_no_module_of_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    for name in ("statistics", "yaml", "numpy", "distributed"):
        (tmp_path / "slides" / f"{name}.py").write_text("raise SystemExit('a file beside the slides was run')")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}  # dask sets it
    done = subprocess.run(
        command, cwd=tmp_path / "slides", env=environment, capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.splitlines() == [
        str(["1", "1", "1"]),
        str(["2", "1", "1"]),
        str(["2", None, "1"]),
    ]

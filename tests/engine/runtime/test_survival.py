"""Survival: whatever befalls workers, scheduler, disk or the run itself, its message and exit status say so, and the same
command goes on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from once import once

pytestmark = pytest.mark.apart

Planted = Callable[..., dict[str, str]]

TILE = {"level": 0, "start": [128, 128], "stop": [256, 256]}
"""Of b.tif, which has three times three tiles of 128 pixels: number 4."""
WORKERS = ("--cluster", "local", "--workers", "2")


def run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def until(true: Callable[[], bool], process: subprocess.Popen[str], what: str) -> None:
    limit = time.monotonic() + 300
    while not true():
        assert process.poll() is None, f"the run ended before {what}: {process.communicate()[1]}"
        assert time.monotonic() < limit, f"{what} never happened"
        time.sleep(0.01)


def begun(out: Path, step: str) -> bool:
    try:
        return step in json.loads((out / "run.json").read_text())["steps"]
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def progress(out: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((out / "receipts" / "progress.json").read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def start(command: list[str], environment: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def quarantined(out: Path) -> list[Any]:
    (tiles,) = json.loads((out / "quarantined.json").read_text()).values()
    return list(tiles)


def convert(mini: Any, out: Path, *words: str) -> list[str]:
    """The stage that reads the slides: their faults show there, and later stages read what it left."""
    return list(mini.command("convert", mini.slides, "--out", out, *words))


@pytest.fixture(scope="session")
def converted(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stores of an undisturbed conversion."""

    def make(folder: Path) -> None:
        done = run(convert(mini, folder / "out", "--cluster", "none"))
        assert done.returncode == 0, done.stderr

    return once(tmp_path_factory, "converted", make) / "out"


@pytest.fixture(scope="session")
def crashed(mini: Any, planted_in: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two workers converted of the cohort with a tile that kills its reader."""

    def make(folder: Path) -> None:
        command = convert(mini, folder / "out", "--max-bad-tiles", "1", *WORKERS)
        done = run(command, planted_in(folder, "b.tif", "crash", tile=4))
        assert done.returncode == 3, done.stderr
        assert "b.tif: 1 tiles crash the process that decodes them" in done.stderr
        assert "quarantined.json" in done.stderr

    return once(tmp_path_factory, "crashed", make) / "out"


@pytest.mark.timeout(400)
def test_a_tile_that_kills_its_reader_is_found_masked_and_named(crashed: Path, converted: Path, mini: Any) -> None:
    import tile_engine

    assert quarantined(crashed) == [TILE]
    done = tile_engine.open_run(crashed)
    assert done.rejected == {}
    b = next(s for s in done.slides if s.startswith("b-"))
    tissue = done.layers("tissue")[b].values.squeeze()
    side = round(384 / tissue.shape[-1])
    lost = tissue[128 // side : 256 // side, 128 // side : 256 // side]
    assert (lost == 2).all(), "the tile is unreadable in the tissue labels"
    assert (tissue == 2).sum() == lost.size, "and it alone is"
    others = {k: v for k, v in mini.results(crashed, "slides").items() if "/b-" not in k}
    assert others and others.items() <= mini.results(converted, "slides").items()


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_without_workers_a_run_that_dies_twice_at_a_tile_finds_it_the_third_time(
    crashed: Path, mini: Any, tmp_path: Path, planted: Planted
) -> None:
    command = convert(mini, tmp_path / "out", "--max-bad-tiles", "1", "--cluster", "none")
    environment = planted("b.tif", "crash", tile=4)
    assert [run(command, environment).returncode for _ in range(3)] == [-signal.SIGSEGV, -signal.SIGSEGV, 3]
    assert quarantined(tmp_path / "out") == [TILE]
    assert mini.results(tmp_path / "out") == mini.results(crashed)


@pytest.mark.timeout(400)
def test_a_slide_that_kills_whoever_opens_it_is_rejected(mini: Any, tmp_path: Path, planted: Planted) -> None:
    command = [*mini.again(tmp_path / "out"), "--dry-run", "--json"]
    done = run(command, planted("b.tif", "open"))
    assert done.returncode == 3, done.stderr
    (rejected,) = json.loads(done.stdout.splitlines()[-1])["rejected"].values()
    assert (rejected["name"], rejected["code"]) == ("b.tif", "E_CRASHES_READER")


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_a_unit_that_hangs_is_tried_elsewhere(converted: Path, mini: Any, tmp_path: Path, planted: Planted) -> None:
    command = convert(mini, tmp_path / "out", *WORKERS, "--unit-timeout", "12")
    done = run(command, planted("b.tif", "hang", tile=4, once=True))
    assert done.returncode == 0, done.stderr
    assert "took longer than 12 s" in done.stderr
    assert mini.results(tmp_path / "out") == mini.results(converted)


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_without_workers_a_tile_that_always_hangs_is_masked_and_the_command_ends(
    crashed: Path, mini: Any, tmp_path: Path, planted: Planted
) -> None:
    command = convert(mini, tmp_path / "out", "--max-bad-tiles", "1", "--cluster", "none", "--unit-timeout", "4")
    done = run(command, planted("b.tif", "hang", tile=4))
    assert done.returncode == 3, done.stderr
    assert "took longer than 4 s" in (tmp_path / "out" / "log.txt").read_text()
    assert quarantined(tmp_path / "out") == [TILE]
    assert mini.results(tmp_path / "out") == mini.results(crashed)


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_a_tile_that_always_hangs_is_masked(crashed: Path, mini: Any, tmp_path: Path, planted: Planted) -> None:
    command = convert(mini, tmp_path / "out", "--max-bad-tiles", "1", *WORKERS, "--unit-timeout", "8")
    done = run(command, planted("b.tif", "hang", tile=4))
    assert done.returncode == 3, done.stderr
    assert quarantined(tmp_path / "out") == [TILE]
    assert mini.results(tmp_path / "out") == mini.results(crashed)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", ["workers", pytest.param("scheduler", marks=pytest.mark.nightly)])
def test_where_all_workers_or_the_scheduler_are_gone_the_run_ends_with_75_and_goes_on(
    mini: Any, tmp_path: Path, by_hand: Any, descendants: Callable[[int], list[int]], victim: str
) -> None:
    out = tmp_path / "out"
    options = ["--scheduler-address", by_hand.address, "--wait", "3"]
    process = start([*mini.again(out)[:-2], *options])  # less its --cluster none
    until(lambda: begun(out, "autoencoder"), process, "training")
    for doomed in by_hand.workers if victim == "workers" else [by_hand.scheduler]:
        for below in descendants(doomed.pid):
            os.kill(below, signal.SIGKILL)
        doomed.kill()
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 75, told
    code = "E_WORKERS_LOST" if victim == "workers" else "E_SCHEDULER_LOST"
    assert f"error [{code}]" in told and "run the same command again" in told
    done = run(mini.again(out))
    assert done.returncode == 0, done.stderr
    assert mini.results(out) == mini.results(mini.out)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("where", [(), pytest.param(WORKERS, marks=pytest.mark.nightly)])
def test_sigterm_lets_units_end_and_exits_143(mini: Any, tmp_path: Path, where: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    process = start([*mini.again(out), *where])

    def nearly_done() -> bool:
        """What is left of the autoencoder's training takes much less than the 20 s, on a busy machine too."""
        told = progress(out)
        return bool(told) and (told["step"] != "reconstruction" or 2 * told["done"] >= told["total"])

    until(nearly_done, process, "the second half of a training")
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 143, told
    assert "stopping: units in progress have 20 s" in told
    assert "what was written is safe" in told
    assert not (out / "lock.json").exists()
    assert (out / "receipts" / "autoencoder" / "autoencoder.json").exists(), "what was under way came to its end"
    done = run(mini.again(out))
    assert done.returncode == 0, done.stderr
    assert mini.results(out) == mini.results(mini.out)


@pytest.mark.timeout(200)
def test_sigterm_while_workers_are_waited_for_gives_the_folder_back(mini: Any, tmp_path: Path) -> None:
    from distributed import LocalCluster

    out = tmp_path / "out"
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as cluster:
        process = start([*mini.again(out)[:-2], "--scheduler-address", cluster.scheduler_address])
        until(lambda: any(name.startswith("Client-") for name in list(cluster.scheduler.clients)), process, "the wait")
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=300)[1]
    assert process.returncode == 143, told
    assert "what was written is safe" in told
    assert not (out / "lock.json").exists()


CTRL_C_SECONDS = 6.0
"""From Ctrl-C to the end of a command with local workers: 3 s of grace, and what a busy machine needs to end them."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("times", ["once", "twice"])
def test_ctrl_c_stops_with_130_soon_and_twice_at_once(
    converted: Path, mini: Any, tmp_path: Path, planted: Planted, descendants: Callable[[int], list[int]], times: str
) -> None:
    """To the whole group, as a terminal does; the work under way would take ten minutes."""
    out = tmp_path / "out"
    environment = planted("b.tif", "hang", tile=4, once=True)
    process = start(convert(mini, out, *WORKERS), environment, start_new_session=True)
    until((tmp_path / "struck").exists, process, "the tile that hangs")
    below = descendants(process.pid)
    assert len(below) >= 2, "the workers"
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    assert any("stopping: units in progress have 3 s" in line for line in process.stderr)
    assert process.poll() is None, "the first one waits for what is under way"
    if times == "twice":
        os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=300)[1]
    took = time.monotonic() - began
    assert process.returncode == 130, told
    assert took < CTRL_C_SECONDS, f"it took {took:.1f} s: {told}"
    assert "stopped; what was written is safe: run the same command again to resume." in told.splitlines()
    assert "KeyboardInterrupt" not in told and "leaked" not in told, f"no process complains: {told}"
    limit = time.monotonic() + 5
    while any(is_running(pid) for pid in below):  # what cleans up behind workers ends a moment after the command
        assert time.monotonic() < limit, "a worker stays behind"
        time.sleep(0.05)
    assert not (out / "lock.json").exists()
    assert run(convert(mini, out)).returncode == 0
    assert mini.results(out) == mini.results(converted)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that ended and that nobody waits for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    at.mkdir()
    mounted = run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)])
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("where", [(), pytest.param(WORKERS, marks=pytest.mark.nightly)])
def test_a_full_disk_ends_with_75_and_the_run_goes_on_once_there_is_room(
    mini: Any, tmp_path: Path, where: tuple[str, ...]
) -> None:
    """Somebody else fills the disk after the run has looked whether there is room."""
    with small_disk(tmp_path / "disk", "40m") as disk:
        out = disk / "out"
        process = start([*mini.again(out), *where])
        until(lambda: begun(out, "overview"), process, "the beginning")
        with pytest.raises(OSError, match="No space left"), (disk / "others").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        told = process.communicate(timeout=300)[1]
        assert process.returncode == 75, told
        assert "E_DISK_FULL" in told and "free some space" in told
        (disk / "others").unlink()
        done = run(mini.again(out))
        assert done.returncode == 0, done.stderr
        assert mini.results(out) == mini.results(mini.out)
        assert not [p for p in out.rglob("*") if ".partial" in p.name]


@pytest.mark.timeout(100)
def test_an_output_folder_that_cannot_be_written_is_refused_before_work(mini: Any, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run(mini.again(disk / "out"))
    assert done.returncode == 2, done.stderr
    assert "E_OUT" in done.stderr and "cannot be written" in done.stderr


@pytest.mark.timeout(200)
def test_a_second_run_on_the_same_folder_names_the_owner_and_no_force_takes_a_live_one(
    mini: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(mini.again(out))
    until(lambda: begun(out, "autoencoder"), process, "training")
    for words in ([], ["--force-unlock"]):
        second = run([*mini.again(out), *words])
        assert second.returncode == 6, second.stderr
        assert f"host {socket.gethostname()}, pid {process.pid}" in second.stderr
        assert "last sign of life" in second.stderr
    assert process.wait(300) == 0, process.communicate()[1]
    assert mini.results(out) == mini.results(mini.out)

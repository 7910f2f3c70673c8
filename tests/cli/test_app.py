"""The command line: exit statuses, what is printed where, and what a signal leaves."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tile_engine.cli import app as module
from tile_engine.cli.app import app
from tile_engine.errors import TileEngineError


def call(*words: str | Path) -> Result:
    """The command line in this process; errors of tile-engine come out as they are."""
    return CliRunner().invoke(app, list(map(str, words)), catch_exceptions=True, standalone_mode=False)


def error(*words: str | Path) -> TileEngineError:
    found = call(*words).exception
    assert isinstance(found, TileEngineError), found
    return found


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def files(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--k", "9-3"), "got 9 to 3"),
        (("--patch", "33"), "patch = 33"),
        (("--codec", "jpeg"), "codec = 'jpeg'"),
        (("--patch", "64", "--stride", "15"), "patch 64 minus stride 15"),
        (("--cluster", "slurmy"), "'slurmy' is not known: use none, local, cuda, slurm"),
    ],
)
def test_a_setting_that_cannot_be_exits_2_with_its_value_and_leaves_no_result(
    mini: Any, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    found = error("run", "cluster", "--slides", mini.slides, "--out", tmp_path / "out", *words)
    assert said in found.message and found.exit_status == 2
    assert not (tmp_path / "out" / "slides").exists()


def test_an_unknown_option_exits_2_and_names_it(mini: Any) -> None:
    done = mini.cli("run", "cluster", "--slides", mini.slides, "--pach", "64")
    assert done.returncode == 2 and "--pach" in done.stderr and "Traceback" not in done.stderr


def test_an_error_is_one_line_with_its_code_on_the_error_stream(mini: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    done = mini.cli("run", "cluster", "--slides", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 4
    assert done.stderr.startswith("error [E_NO_INPUT]: ") and "notes.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(**options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "app", bug)
    with pytest.raises(ZeroDivisionError):
        module.main()


def test_a_run_that_another_one_owns_exits_6_naming_host_and_pid(mini: Any, tmp_path: Path) -> None:
    from tile_engine.stores.lock import Lock

    out = mini.copy(tmp_path / "out")
    with Lock(out):
        found = error("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args)
        assert f"owner: host {socket.gethostname()}, pid {os.getpid()}" in call("status", out).stdout, (
            "looking is allowed"
        )
    assert found.exit_status == 6 and found.code == "E_LOCKED"
    assert socket.gethostname() in found.message and f"pid {os.getpid()}" in found.message


def test_changed_settings_exit_2(mini: Any) -> None:
    done = mini.cli("run", "cluster", "--slides", mini.slides, "--out", mini.out, *mini.args, "--k", "5")
    assert done.returncode == 2 and "k: 2-3 -> 5\n" in done.stderr and "E_OTHER_SETTINGS" in done.stderr


def test_a_dry_run_says_the_plan_and_writes_nothing(mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("run", "cluster", "--slides", mini.slides, "--dry-run", *mini.args)
    said = call(*words).stdout
    assert f"results: {tmp_path / 'slides-tiles'} (this is a plan: nothing is written)" in said
    assert "3 slides" in said and "a.tif: 384 x 384 at 0.5 um" in said and "convert 6" in said
    plan = lines(call(*words, "--json").stdout)[-1]
    assert (plan["event"], plan["slides"], plan["out"]) == ("plan", 3, str(tmp_path / "slides-tiles"))
    assert not list(tmp_path.iterdir())


def test_without_out_results_go_beside_and_are_named_first(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("convert", mini.slides, "--cluster", "none")
    assert done.stdout.splitlines()[0] == f"results: {tmp_path / 'slides-tiles'}"
    assert (tmp_path / "slides-tiles" / "run.json").exists()


def test_every_line_of_json_parses_and_the_last_is_the_result(mini: Any, tmp_path: Path) -> None:
    out = mini.copy(tmp_path / "out")
    shutil.rmtree(out / "tables")
    done = mini.cli("run", "cluster", "--slides", mini.slides, "--out", out, *mini.args, "--json")
    assert done.returncode == 0, done.stderr
    told = lines(done.stdout)
    assert [told[0]["event"], told[-2]["event"], told[-1]["event"]] == ["start", "done", "result"]
    assert told[-1] == {
        "event": "result",
        "out": str(out),
        "status": "done",
        "rejected": {},
        "quarantined": {},
        "exit": 0,
    }
    assert {t["stage"] for t in told if t["event"] == "progress"} == {"convert", "sample", "train", "apply", "map"}


def test_plain_progress_names_the_stage_its_units_and_the_time(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # where shells find it
    done = call("run", "cluster", "--slides", mini.slides, "--out", mini.copy(tmp_path / "out"), *mini.args)
    assert "convert: 3/3 (3 slides" in done.stderr and "working in this process" in done.stderr
    assert done.stdout.splitlines()[1:] == [
        f"maps:   {tmp_path / 'out' / 'maps'}", f"report: {tmp_path / 'out' / 'report.html'}",
        f"look at it: tile-engine view {tmp_path / 'out'}",
    ]  # fmt: skip
    quiet = call("run", "cluster", "--slides", mini.slides, "--out", tmp_path / "out", *mini.args, "-q")
    assert quiet.stderr == ""


def test_status_tells_every_step_and_writes_nothing(mini: Any) -> None:
    before = files(mini.out)
    said = call("status", mini.out).stdout
    assert said.startswith(f"{mini.out}: done") and "convert              complete  3/3" in said
    found = lines(call("status", mini.out, "--json").stdout)[0]
    assert found["state"] == "done" and len(found["steps"]) == 23 and found["rejected"] == []
    assert all(s["state"] == "complete" and s["done"] == s["total"] for s in found["steps"])
    assert files(mini.out) == before


def test_status_of_a_begun_run_says_what_waits(mini: Any, tmp_path: Path) -> None:
    call("convert", mini.slides, "--out", tmp_path / "out", "--cluster", "none", "-q")
    steps = lines(call("status", tmp_path / "out", "--json").stdout)[0]["steps"]
    assert [s["state"] for s in steps[:4]] == ["complete"] * 3 + ["waiting"]
    assert error("status", tmp_path).code == "E_NO_RUN"


def test_info_tells_a_slide_a_store_and_a_run(mini: Any) -> None:
    slide = call("info", mini.slides / "a.tif")
    assert slide.return_value == 0 and "384 x 384" in slide.stdout and "0.5 x 0.5 um" in slide.stdout
    store = next((mini.out / "slides").glob("a-*"))
    said = call("info", store).stdout
    assert (
        "OME-Zarr 0.5 by tile-engine" in said
        and "clusters, tissue" in said
        and "level 1: 192 x 192 at 1 x 1 um" in said
    )
    assert "23 of 23 steps complete" in call("info", mini.out).stdout
    told = lines(call("info", store, "--json").stdout)[0]
    assert ["spacing", "0.5 x 0.5 um (x, y)"] in told["facts"]


def test_info_of_what_cannot_be_used_says_why_and_exits_3(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"")
    done = call("info", tmp_path / "a.svs")
    assert done.return_value == 3 and "problem [E_EMPTY]" in done.stdout
    assert error("info", tmp_path / "nothing").exit_status == 4
    done = call("info", tmp_path)
    assert done.return_value == 3 and "a.svs: cannot be used" in done.stdout


def test_a_stage_without_a_run_is_refused_with_how_to_begin_one(tmp_path: Path) -> None:
    found = error("train", tmp_path)
    assert found.code == "E_NO_RUN" and "tile-engine run cluster" in found.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_with_its_status_and_the_lock_given_back(
    mini: Any, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    out = mini.copy(tmp_path / "out")
    shutil.rmtree(out / "models")
    process = subprocess.Popen(mini.again(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 300
    while not (out / "receipts" / "progress.json").exists():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status, said
    assert "run the same command again" in said and "Traceback" not in said
    assert not (out / "lock.json").exists()
    assert call("status", out).stdout.startswith(f"{out}: stopped; the same command goes on\n")
    assert mini.results(out, "slides", "samples.zarr") == mini.results(mini.out, "slides", "samples.zarr")


def test_apply_with_another_stride_is_refused_and_with_redo_keeps_the_network(mini: Any, tmp_path: Path) -> None:
    out = mini.copy(tmp_path / "out")
    words = ("apply", out, "--stride", "32", "--cluster", "none")
    assert "stride: 0 -> 32" in error(*words).message
    assert mini.results(out) == mini.results(mini.out)
    done = call(*words, "--redo")
    assert done.return_value == 0 and "done so far" in done.stdout, done.exception
    for part in (
        "samples.zarr/patches",
        "samples.zarr/codes",
        "models/clusterer.safetensors",
        "models/head.safetensors",
    ):
        assert mini.results(out, part) == mini.results(mini.out, part)
    states = {s["title"]: s["state"] for s in lines(call("status", out, "--json").stdout)[0]["steps"]}
    assert states["write layers"] == "complete" and states["draw maps"] == "waiting"


@pytest.mark.parametrize(("closed", "arguments", "status"), [(">&-", "--version", 0), ("2>&-", "status nothing", 2)])
def test_a_command_whose_output_is_closed_keeps_its_status(
    closed: str, arguments: str, status: int, tmp_path: Path
) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m tile_engine.cli {arguments} {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False).returncode == status

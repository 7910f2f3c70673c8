"""A plan refuses what the run would refuse, with its status, and leaves nothing behind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import plan, run
from tile_engine.engine.maintenance.status import status
from tile_engine.engine.pipeline.progress import Event
from tile_engine.errors import NoInputError, TileEngineError
from tile_engine.stores.folder import Folder
from tile_engine.stores.owner import this_process

HERE = RunOptions(cluster=ClusterOptions(cluster="none"))


def files(root: Path) -> dict[Path, int]:
    """Files and folders, with the times of the files' last changes."""
    return {path: 0 if path.is_dir() else path.lstat().st_mtime_ns for path in root.rglob("*")}


def mixed(out: Path, mini: Any) -> dict[str, Any]:
    mini.copy(out)
    return {"k": "5"}


def other_run(out: Path, mini: Any) -> dict[str, Any]:
    mini.copy(out)
    document = json.loads((out / "run.json").read_text()) | {"command": "anomaly", "variant": "slides"}
    (out / "run.json").write_text(json.dumps(document))
    return {}


def locked(out: Path, mini: Any) -> dict[str, Any]:
    out.mkdir()
    (out / "lock.json").write_text(json.dumps(this_process() | {"host": "elsewhere"}))
    return {}


def foreign(out: Path, mini: Any) -> dict[str, Any]:
    out.mkdir()
    (out / "report.html").write_text("mine")
    return {}


def a_file(out: Path, mini: Any) -> dict[str, Any]:
    out.write_text("mine")
    return {}


def linked_log(out: Path, mini: Any) -> dict[str, Any]:
    out.mkdir()
    (out / "log.txt").symlink_to(mini.slides / "a.tif")
    return {}


def a_gang(out: Path, mini: Any) -> dict[str, Any]:
    return {"gang": 2}


def no_gpu(out: Path, mini: Any) -> dict[str, Any]:
    return {"device": "cuda"}


def no_level(out: Path, mini: Any) -> dict[str, Any]:
    return {"level": 50}


def no_cluster(out: Path, mini: Any) -> dict[str, Any]:
    (out.parent / "classes.csv").write_text("cluster,name\n60,Fat\n")
    return {"classes": out.parent / "classes.csv"}


def merges_of_merges(out: Path, mini: Any) -> dict[str, Any]:
    (out.parent / "classes.csv").write_text("cluster,into\n1,2\n2,3\n")
    return {"classes": out.parent / "classes.csv"}


REFUSED: list[tuple[Callable[[Path, Any], dict[str, Any]], str, int]] = [
    (mixed, "E_OTHER_SETTINGS", 2),
    (other_run, "E_OTHER_RUN", 2),
    (locked, "E_LOCKED", 6),
    (foreign, "E_FOREIGN", 2),
    (a_file, "E_OUT", 2),
    (linked_log, "E_FOREIGN", 2),
    (a_gang, "E_GANG", 5),
    (no_gpu, "E_NO_GPU", 5),
    (no_level, "E_LEVEL", 2),
    (no_cluster, "E_CLASSES", 2),
    (merges_of_merges, "E_CLASSES", 2),
]


@pytest.mark.parametrize(("prepare", "code", "status"), REFUSED, ids=[one[0].__name__ for one in REFUSED])
def test_a_plan_refuses_as_the_run_does(
    mini: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path, Any], dict[str, Any]],
    code: str,
    status: int,
) -> None:
    monkeypatch.setattr("tile_engine.engine.runtime.device_choice.gpus", lambda: [])
    out = tmp_path / "out"
    settings = mini.settings | prepare(out, mini)
    before = files(tmp_path)
    with pytest.raises(TileEngineError) as planned:
        list(plan("cluster", {"slides": mini.slides}, out, options=HERE, settings=settings))
    assert files(tmp_path) == before
    with pytest.raises(TileEngineError) as refused:
        run("cluster", {"slides": mini.slides}, out, options=HERE, settings=settings)
    assert [(e.value.code, e.value.exit_status) for e in (planned, refused)] == [(code, status)] * 2
    assert planned.value.message.split(":")[0] == refused.value.message.split(":")[0] or code in ("E_OUT", "E_NO_GPU")


@pytest.mark.parametrize("out", ["/proc/out", "/proc/self/status/out"])
def test_a_folder_that_no_file_can_be_made_in_is_refused_by_a_plan(out: str) -> None:
    with pytest.raises(TileEngineError, match=f"{out} cannot be written") as refused:
        Folder(Path(out)).check_claim()
    assert refused.value.code == "E_OUT"


def test_a_file_system_without_nameless_files_is_asked_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(*_: Any) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "open", nameless)
    Folder(tmp_path / "new" / "out").check_claim()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Path, "mkdir", nameless)
    with pytest.raises(TileEngineError, match="cannot be written"):
        Folder(tmp_path / "out").check_claim()


def test_a_plan_of_a_finished_run_and_of_a_redo_is_a_plan(mini: Any) -> None:
    for options, settings in ((HERE, {}), (replace(HERE, redo=True), {"k": "5"})):
        said = list[Event]()
        told = replace(options, report=said.append)
        plans = plan("cluster", {"slides": mini.slides}, mini.out, options=told, settings=mini.settings | settings)
        assert [out for out, _, _ in plans] == [mini.out]
        begun = "done again: choose K, " if options.redo else "were done before: each is only checked"
        assert [event for event in said if begun in event.text]


def test_a_run_that_goes_on_says_what_is_done_and_its_open_step_is_stopped(mini: Any, tmp_path: Path) -> None:
    out, told = mini.copy(tmp_path / "out"), list[Event]()
    document = json.loads((out / "run.json").read_text())
    document["status"] = document["steps"]["maps" if "maps" in document["steps"] else "report"]["status"] = "running"
    (out / "run.json").write_text(json.dumps(document))
    found = status(out)
    assert found.state == "stopped" and [one.state for one in found.steps].count("stopped") == 1
    dry = list[Event]()
    list(
        plan("cluster", {"slides": mini.slides}, out, options=replace(HERE, report=dry.append), settings=mini.settings)
    )
    run("cluster", {"slides": mini.slides}, out, options=replace(HERE, report=told.append), settings=mini.settings)
    [line] = [event.text for event in told if "goes on where it stopped" in event.text]
    assert "overview, convert" in line and "are done already; within" in line
    assert line in [event.text for event in dry], "the plan says the same"


def test_a_plan_of_stains_ends_as_the_run_does(mini: Any, tmp_path: Path) -> None:
    (tmp_path / "no.tif").write_bytes(b"II*\0 cut short")
    images = tmp_path / "list.csv"
    images.write_text(f"path,stain\nno.tif,A\n{mini.slides / 'a.tif'},B\n")
    plans = plan("cluster", {"slides": images}, tmp_path / "out", options=HERE, settings=mini.settings)
    assert next(plans)[0].name == "B"
    with pytest.raises(NoInputError, match=r"stain A: no slide can be used: no.tif \["):
        next(plans)


def test_a_plan_starts_one_child_as_the_run_does(mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tile_engine.engine.workers import child

    started: list[Any] = []

    class Counted(child._Process):
        def __init__(self) -> None:
            started.append(self)
            super().__init__()

    monkeypatch.setattr(child, "_Process", Counted)
    settings = mini.settings
    assert len(list(plan("cluster", {"": [str(mini.slides)]}, tmp_path / "out", options=HERE, settings=settings))) == 1
    assert len(started) == 1

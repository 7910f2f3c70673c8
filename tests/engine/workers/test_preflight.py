"""Pre-flight: workers that could not do the run are named before it begins, each with what to do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.workers import preflight as module
from tile_engine.engine.workers.pool import WorkerPool
from tile_engine.engine.workers.preflight import (
    WorkerCheck,
    WorkerRow,
    _answer,
    ask_workers,
    preflight,
    versions,
    worker_table,
)
from tile_engine.errors import MachineError
from tile_engine.stores.slides.file_marks import fingerprint


@dataclass(frozen=True)
class Slide:
    path: str
    fingerprint: str

    @property
    def file(self) -> tuple[str, str]:
        return self.path, self.fingerprint


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as found:
        yield found


@pytest.fixture
def slide(tmp_path: Path) -> Slide:
    path = tmp_path / "slide.tif"
    path.write_bytes(b"pixels")
    return Slide(str(path), fingerprint(path))


def test_workers_that_can_do_it_are_told_a_line_a_host_and_leave_nothing(
    client: Any, slide: Slide, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told: list[Event] = []
    rows = preflight(WorkerPool(map, 2, "two", client), out, [slide], told.append)
    assert len(rows) == 2 and not any(row.faults for row in rows)
    assert all(row.threads == 1 and row.versions == versions() for row in rows)
    assert [(event.kind, event.text) for event in told] == [("note", f"{rows[0].host}: 2 workers, 2 threads")]
    assert not list(out.iterdir())


def test_what_workers_cannot_do_ends_it_with_a_list(client: Any, slide: Slide, tmp_path: Path) -> None:
    Path(slide.path).unlink()
    with pytest.raises(MachineError, match=r"2 of 2 workers cannot do this run; nothing was begun:") as caught:
        preflight(WorkerPool(map, 2, "two", client), tmp_path, [slide], lambda event: None)
    assert (caught.value.code, caught.value.exit_status) == ("E_WORKERS", 5)
    assert caught.value.message.count(f"cannot read {slide.path}") == 2
    assert caught.value.message.count("mount the slides there under the same path") == 2


def test_other_versions_have_a_code_of_their_own(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's versions are asked first, the workers' after that: here both live in one process."""
    answers = iter([{**versions(), "numpy": "1.0", "tile-engine": "0.0"}])
    real = versions
    monkeypatch.setattr(module, "versions", lambda: next(answers, None) or real())
    with pytest.raises(MachineError, match=rf"has another numpy {real()['numpy']}, and 1\.0 where") as caught:
        preflight(WorkerPool(map, 2, "two", client), tmp_path, [], lambda event: None)
    assert caught.value.code == "E_VERSIONS" and "has another tile-engine" in caught.value.message


def test_this_process_needs_no_asking(tmp_path: Path) -> None:
    assert preflight(WorkerPool(map, 1, "here"), tmp_path / "none", [], lambda event: pytest.fail(event.text)) == ()


def test_another_file_under_the_same_path_is_seen(slide: Slide) -> None:
    Path(slide.path).write_bytes(b"other pixels")
    row = _answer(WorkerCheck(slides=((slide.path, slide.fingerprint),)), versions())
    assert row.faults == (f"sees another file at {slide.path}: mount the same folder there",)


def test_another_disk_under_the_same_path_is_seen(tmp_path: Path) -> None:
    row = _answer(WorkerCheck(str(tmp_path), token=".preflight.of.the.run"), versions())
    assert f"does not see the same folder at {tmp_path}" in row.faults[0]


def test_a_folder_that_cannot_be_written_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "token").touch()
    monkeypatch.setattr(Path, "write_bytes", refuse)
    row = _answer(WorkerCheck(str(tmp_path), token="token"), versions())
    assert f"cannot write {tmp_path} (Permission denied)" in row.faults[0]


def test_a_worker_that_is_to_have_a_gpu_and_has_none_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "no GPU may be used there" in _answer(WorkerCheck(gpu=True), versions()).faults[0]
    assert _answer(WorkerCheck(), versions()).faults == ()


def test_a_worker_that_does_not_answer_in_time_is_named(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(module, "_answer", lambda look, home: time.sleep(1))
    rows = ask_workers(client, WorkerCheck(str(tmp_path)))
    assert all(f"no answer within 0.2 s: does {tmp_path} hang there?" in row.faults[0] for row in rows)


@pytest.mark.timeout(120)
def test_a_worker_that_is_silent_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client, LocalCluster

    monkeypatch.setattr(module, "SILENCE_SECONDS", 10.0)
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as found:
        address, stopped = next(iter(found.run(os.getpid).items()))
        os.kill(stopped, signal.SIGSTOP)
        try:
            rows = {row.worker: row.faults for row in ask_workers(found, WorkerCheck())}
        finally:
            os.kill(stopped, signal.SIGCONT)
    assert rows.pop(address) == ("did not answer (TimeoutError:): see the worker's log",)
    assert list(rows.values()) == [()]


def test_a_worker_without_tile_engine_is_told_to_get_it(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(look: WorkerCheck, home: dict[str, str]) -> None:
        raise ModuleNotFoundError("No module named 'tile_engine'")

    monkeypatch.setattr(module, "answer", missing)
    row = ask_workers(client, WorkerCheck())[0]
    assert "No module named 'tile_engine'" in row.faults[0] and "install tile-engine" in row.faults[0]


def test_the_table_has_a_line_a_host_with_its_cards() -> None:
    row = WorkerRow("tcp://10.0.0.1:1", "node1", 1, "NVIDIA H200 (GPU-1a)")
    rows = [row, replace(row, gpu="NVIDIA H200 (GPU-2b)"), WorkerRow("tcp://10.0.0.2:1", "node2", 4)]
    assert worker_table(rows).splitlines() == [
        "node1: 2 workers, 2 threads, NVIDIA H200 (GPU-1a), NVIDIA H200 (GPU-2b)",
        "  node2: 1 workers, 4 threads",
    ]
    assert len(worker_table(WorkerRow("", f"node{n}") for n in range(500)).splitlines()) <= 21

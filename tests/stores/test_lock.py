"""The lock: one run at a time; the dead are succeeded, the living and the far away are not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tile_engine.errors import LockedError, SettingsError
from tile_engine.stores import lock as module
from tile_engine.stores import owner
from tile_engine.stores.lock import Lock


def owned_by(out: Path, **owner: object) -> Path:
    path = out / "lock.json"
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": "1"} | owner))
    return path


def test_a_lock_is_there_while_it_is_held_and_gone_afterwards(tmp_path: Path) -> None:
    with Lock(tmp_path / "out"):
        owner = json.loads((tmp_path / "out" / "lock.json").read_text())
        assert owner["pid"] == os.getpid() and owner["host"] == socket.gethostname()
    assert not (tmp_path / "out" / "lock.json").exists()


def test_a_failing_run_gives_its_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lock(tmp_path):
        _ = 1 / 0
    assert not (tmp_path / "lock.json").exists()


def test_a_second_run_is_refused_with_host_and_pid_and_the_first_keeps_its_lock(tmp_path: Path) -> None:
    with Lock(tmp_path):
        with pytest.raises(LockedError) as caught, Lock(tmp_path):
            pass
        assert socket.gethostname() in caught.value.message and f"pid {os.getpid()}" in caught.value.message
        assert caught.value.exit_status == 6 and (tmp_path / "lock.json").exists()


def test_force_does_not_take_the_lock_of_a_living_run_of_this_host(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(LockedError, match="stop it"), Lock(tmp_path, force=True):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from tile_engine.stores.lock import Lock;"
        f"Lock(Path({str(tmp_path)!r})).__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert (tmp_path / "lock.json").exists()
    with Lock(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="states of processes are told by Linux")
def test_the_lock_of_a_process_that_has_ended_and_whose_status_nobody_fetches_is_taken_over(tmp_path: Path) -> None:
    """So it is with a killed run in a container whose first process fetches none."""
    code = (
        f"from pathlib import Path; from tile_engine.stores.lock import Lock; Lock(Path({str(tmp_path)!r})).__enter__()"
    )
    process = subprocess.Popen([sys.executable, "-c", f"{code}; import os; os.kill(os.getpid(), 9)"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}/stat").exists() and (tmp_path / "lock.json").exists()
    with Lock(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()
    process.wait()


def test_a_pid_that_was_given_to_another_process_since_does_not_hold_the_lock(tmp_path: Path) -> None:
    owned_by(tmp_path, started="1")
    with Lock(tmp_path):
        pass


def test_the_lock_of_another_host_is_refused_naming_the_way_out_and_force_takes_it(tmp_path: Path) -> None:
    owned_by(tmp_path, host="elsewhere")
    with pytest.raises(LockedError, match=r"host elsewhere.*--force-unlock"), Lock(tmp_path):
        pass
    with Lock(tmp_path, force=True):
        assert json.loads((tmp_path / "lock.json").read_text())["host"] == socket.gethostname()


def test_a_lock_whose_writer_died_in_the_act_is_taken_over_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    for content in ("", '{"host": "here", "pi', "\0" * 60):  # the last is what a power cut leaves
        path.write_text(content)
        os.utime(path, (time.time() - 60,) * 2)
        with Lock(tmp_path):
            pass
    path.write_text("")  # this one may be in the making: it is waited for, and taken over when it is old
    began = time.monotonic()
    with Lock(tmp_path):
        assert time.monotonic() - began > 4


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("content", ["", '{"host": "here", "pi', '{"host": 5, "pid": "x", "started": []}'])
def test_a_torn_lock_that_a_broken_clock_dates_into_the_future_is_taken(
    tmp_path: Path, content: str, force: bool
) -> None:
    path = tmp_path / "lock.json"
    path.write_text(content)
    os.utime(path, (time.time() + 10**6,) * 2)
    began = time.monotonic()
    with Lock(tmp_path, force=force):
        assert json.loads(path.read_text())["pid"] == os.getpid() and time.monotonic() - began < 2


@pytest.mark.parametrize("content", ['{"name": "some other tool"}', "[1]", "notes", "[" * 100_000])
def test_a_file_of_that_name_that_is_no_lock_of_ours_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock.json"
    path.write_text(content)
    os.utime(path, (1, 1))
    with pytest.raises(SettingsError, match="no lock of tile-engine") as caught, Lock(tmp_path, force=True):
        pass
    assert caught.value.code == "E_FOREIGN" and path.read_text() == content


SPACES = Path("/proc/self/ns/pid").exists()


def other_space(out: Path, *, silent: float) -> Path:
    """The lock of a process of another pid namespace on this host, with our own pid, `silent` seconds after its last beat."""
    me = owner.this_process()
    path = owned_by(out, **me | {"space": me["space"] + "0"})
    os.utime(path, (time.time() - silent,) * 2)
    return path


@pytest.mark.skipif(not SPACES, reason="namespaces of pids are told by Linux")
def test_a_pid_of_another_namespace_is_not_believed_and_the_heartbeat_tells(tmp_path: Path) -> None:
    other_space(tmp_path, silent=owner.SILENT_SECONDS - 30)
    with pytest.raises(LockedError, match=r"another container.*120 s without one"), Lock(tmp_path):
        pass
    with Lock(tmp_path, force=True):
        pass
    other_space(tmp_path, silent=owner.SILENT_SECONDS + 30)
    with Lock(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text()) == owner.this_process()


def test_the_age_of_a_lock_is_told_by_the_clock_of_its_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = other_space(tmp_path, silent=30)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert 29 < owner.age_of(path) < 60
    assert [path.name for path in tmp_path.iterdir()] == ["lock.json"]


@pytest.mark.skipif(not SPACES or os.getuid() != 0, reason="unshare needs Linux and the superuser")
def test_of_two_namespaces_on_one_folder_one_runs_and_the_other_is_refused(tmp_path: Path) -> None:
    """Each process is number 1 of its namespace, and all have one host name, as in two containers."""
    code = (
        "import sys; from pathlib import Path; from tile_engine.stores.lock import Lock; from tile_engine.errors import *\n"
        f"lock = Lock(Path({str(tmp_path)!r}))\n"
        "try: lock.__enter__()\n"
        "except LockedError as error: sys.exit(error.exit_status)\n"
        "print('mine', flush=True); sys.stdin.read(); lock.__exit__(None, None, None)"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    if subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("this container may not make namespaces")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdin is not None and first.stdout is not None and first.stdout.readline() == "mine\n"
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == 1
        second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        assert (second.returncode, second.stdout) == (6, b"")
        first.stdin.close()
        assert first.wait(60) == 0 and not (tmp_path / "lock.json").exists()


@pytest.mark.parametrize("content", ["removed", "taken", "overwritten"])
def test_a_run_that_loses_its_lock_is_interrupted_and_says_who_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(module, "LOCK_HEARTBEAT_SECONDS", 0.01)
    path = tmp_path / "lock.json"
    expected = {"removed": "was removed", "taken": "host elsewhere", "overwritten": "was overwritten"}[content]
    with pytest.raises(LockedError, match=expected) as caught, Lock(tmp_path):
        if content == "removed":
            path.unlink()
        elif content == "taken":
            owned_by(tmp_path, host="elsewhere")
        else:
            path.write_text("notes")
        threading.Event().wait(20)
        raise AssertionError("the main thread was not interrupted")
    assert caught.value.code == "E_LOCK_LOST" and caught.value.exit_status == 6
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)


def test_a_heartbeat_that_fails_is_told_once_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOCK_HEARTBEAT_SECONDS", 0.01)
    told: list[str] = []

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with Lock(tmp_path, tell=told.append):
        monkeypatch.setattr(module.os, "utime", fail)
        limit = time.monotonic() + 10
        while len(caplog.records) < 3:
            assert time.monotonic() < limit
            time.sleep(0.01)
    assert len(told) == 1 and "Input/output error" in told[0] and not (tmp_path / "lock.json").exists()


def test_a_lock_that_is_a_pipe_is_refused_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock.json")
    with pytest.raises(SettingsError, match="no lock of tile-engine") as caught, Lock(tmp_path, force=True):
        pass
    assert caught.value.code == "E_FOREIGN"


def test_a_lock_that_was_taken_by_force_is_not_given_back_by_its_first_owner(tmp_path: Path) -> None:
    with Lock(tmp_path):
        path = owned_by(tmp_path, host="elsewhere")
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_a_held_lock_shows_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_HEARTBEAT_SECONDS", 0.01)
    with Lock(tmp_path):
        path = tmp_path / "lock.json"
        os.utime(path, (1, 1))
        limit = time.monotonic() + 10
        while path.stat().st_mtime < 2:
            assert time.monotonic() < limit
            time.sleep(0.01)

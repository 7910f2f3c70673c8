"""The lock in an object store: the same rules as on disk, and of two who reach for it at once one has it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from tile_engine.errors import LockedError
from tile_engine.stores import lock as module
from tile_engine.stores.lock import Lock
from tile_engine.stores.remote import ObjectPath, to_path


@pytest.fixture
def out(lab: Any) -> ObjectPath:
    path = to_path(lab.url) / "out"
    assert isinstance(path, ObjectPath)
    return path


def owner(out: ObjectPath) -> dict[str, Any]:
    return dict(json.loads((out / "lock.json").read_bytes()))


def owned_by(out: ObjectPath, **told: object) -> None:
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": "1"}
    (out / "lock.json").write_bytes(json.dumps(me | told).encode())


def test_it_is_there_while_it_is_held_and_a_second_run_is_refused(out: ObjectPath) -> None:
    with Lock(out):
        assert owner(out)["pid"] == os.getpid()
        with pytest.raises(LockedError, match=rf"{socket.gethostname()}, pid {os.getpid()}"), Lock(out):
            pass
        with pytest.raises(LockedError, match="stop it"), Lock(out, force=True):
            pass
        assert owner(out)["pid"] == os.getpid()
    assert not (out / "lock.json").exists()


def test_the_lock_of_a_killed_process_is_taken_over_by_one_of_many(out: ObjectPath) -> None:
    code = (
        "import os, sys; from tile_engine.stores.lock import Lock; from tile_engine.stores.remote import to_path;"
        f"Lock(to_path({str(out)!r})).__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert owner(out)
    code = (
        "import time; from tile_engine.stores.lock import Lock; from tile_engine.stores.remote import to_path;"
        f"lock = Lock(to_path({str(out)!r})); lock.__enter__(); print('mine', flush=True); time.sleep(60)"
    )
    rivals = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        limit = time.monotonic() + 60
        while sum(rival.poll() is not None for rival in rivals) < 2:
            assert time.monotonic() < limit
            time.sleep(0.1)
        winner = next(rival for rival in rivals if rival.poll() is None)
        assert winner.stdout is not None and winner.stdout.readline() == "mine\n" and owner(out)["pid"] == winner.pid
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()


def test_another_hosts_is_refused_naming_the_way_out_and_force_takes_it(out: ObjectPath) -> None:
    owned_by(out, host="elsewhere")
    with pytest.raises(LockedError, match=r"host elsewhere.*--force-unlock"), Lock(out):
        pass
    with Lock(out, force=True):
        assert owner(out)["host"] == socket.gethostname()


def test_a_lock_that_was_taken_away_is_neither_beaten_back_nor_removed(
    out: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_HEARTBEAT_SECONDS", 0.01)
    with pytest.raises(LockedError, match="host thief") as caught, Lock(out):
        owned_by(out, host="thief")
        time.sleep(20)
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    assert owner(out)["host"] == "thief"


def test_it_shows_signs_of_life(out: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_HEARTBEAT_SECONDS", 0.05)
    with Lock(out):
        first, limit = (out / "lock.json").meta()["last_modified"], time.monotonic() + 20
        while (out / "lock.json").meta()["last_modified"] == first:
            assert time.monotonic() < limit
            time.sleep(0.1)


def test_a_lock_whose_making_was_not_answered_is_known_as_our_own(out: ObjectPath) -> None:
    lock = Lock(out)
    (out / "lock.json").write_bytes(lock._hold._me)  # type: ignore[union-attr]
    with lock:
        pass
    assert not (out / "lock.json").exists()

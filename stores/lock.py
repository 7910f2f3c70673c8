"""The lock on an output folder: taken by exclusive creation, naming who holds it, kept fresh by a heartbeat."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import LockedError, SettingsError, TileEngineError
from .remote import ObjectPath

HEARTBEAT = 15.0
"""Seconds between two signs of life."""
ENDED = ("Z", "X")
"""States, in Linux's /proc, of a process that has ended."""


class Lock:
    """`with Lock(out):` one run at a time. A lock of this host whose process is gone is taken over.

    Raises LockedError (exit 6), naming host, pid and age, where another run is alive or lies on another host.
    """

    def __init__(self, out: Path, *, force: bool = False) -> None:
        self.path = out / "lock.json"
        self._hold = _Object(self.path) if isinstance(self.path, ObjectPath) else _File(self.path)
        self._force = force
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._live, name="lock heartbeat", daemon=True)

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(60):
            try:
                self._hold.create()
            except FileExistsError:
                if not self._clear_dead():
                    continue
            self._beat.start()
            return self
        raise LockedError(f"{self.path} could not be taken: other runs keep taking it first. Try again in a moment.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._hold.release()

    def _live(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with contextlib.suppress(OSError, TileEngineError):
                self._hold.beat()

    def _clear_dead(self) -> bool:
        """Take, or make room for, the lock of a process that is gone; raise for one that may be alive. True: it is ours."""
        try:
            age = time.time() - self.path.stat().st_mtime
            owner = _owner(self.path)
        except FileNotFoundError:
            return False
        if owner is None:
            if not _torn(self.path):
                raise SettingsError(
                    f"{self.path} is there already, and it is no lock of tile-engine's: it would be overwritten. Nothing was "
                    "begun. Move it away, or choose another folder with --out.",
                    "E_FOREIGN",
                )
            if age < 5:  # its owner may be writing it this very moment
                time.sleep(0.2)
                return False
        else:
            here = owner["host"] == socket.gethostname()
            alive = here and _started(int(owner["pid"])) == owner["started"]
            if alive or not (here or self._force):
                raise LockedError(
                    f"another run owns {self.path.parent}: host {owner['host']}, pid {owner['pid']}, last sign of life "
                    f"{age:.0f} s ago. Two runs would write the same files; wait for it, or "
                    + ("stop it." if here else "if it is surely gone, run again with --force-unlock.")
                )
        return self._hold.succeed(owner)


class _File:
    """A lock that is a file: its time of change is the sign of life."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        with os.fdopen(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), "w") as file:
            json.dump(_me(), file)

    def beat(self) -> None:
        os.utime(self.path)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if _owner(self.path) == _me():  # it may have been taken from us by force
                self.path.unlink()

    def succeed(self, owner: dict[str, Any] | None) -> bool:
        """Remove a dead owner's file, so that the next to create one has it."""
        dead = self.path.with_name(f".lock.{uuid.uuid4().hex[:8]}.partial")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(dead)
            if _owner(dead) != owner:  # another run took it over meanwhile: it is theirs
                with contextlib.suppress(FileExistsError):
                    os.link(dead, self.path)
            dead.unlink()
        return False


class _Object:
    """A lock that is an object: made where there is none, then only ever written over the content that was seen."""

    def __init__(self, path: ObjectPath) -> None:
        self.path = path
        self._me = json.dumps(_me() | {"token": uuid.uuid4().hex}).encode()
        self._tag = ""

    def create(self) -> None:
        try:
            self._tag = self.path.create(self._me)
        except FileExistsError:
            if self.path.read_bytes() != self._me:
                raise
            self._tag = self.path.meta()["e_tag"]  # it was made, and the answer was lost on the way

    def beat(self) -> None:
        self._tag = self.path.swap(self._me, self._tag)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.path.read_bytes() == self._me:
                self.path.unlink()

    def succeed(self, owner: dict[str, Any] | None) -> bool:
        """Write over what a dead owner left, unless another run was first."""
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            tag = self.path.meta()["e_tag"]
            if _owner(self.path) == owner:
                self._tag = self.path.swap(self._me, tag)
                return True
        return False


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(path.read_text())
        return owner if {"host", "pid", "started"} <= owner.keys() else None
    except (AttributeError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def _torn(path: Path) -> bool:
    """Whether a file without an owner is a lock of ours that was not written to its end, or lost its content with the power."""
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes().rstrip(b"\0")
        return data.startswith(b'{"host"') or not data
    return True


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: a pid alone may have been given to another process since.

    None for one that is gone, or that has ended and waits for its parent to fetch its exit status, which may take forever.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _alive_elsewhere(pid)
    state, *others = stat.rsplit(")", 1)[1].split()
    return None if state in ENDED else others[18]


def _alive_elsewhere(pid: int) -> str | None:
    """Without /proc (macOS, Windows) all that can be known is whether the pid is taken."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "unknown"

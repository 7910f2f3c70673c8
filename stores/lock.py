"""Lock of an output folder: a file created exclusively, with its owner in it, updated by a heartbeat."""

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
from .files import partial_path
from .remote import ObjectPath

LOCK_HEARTBEAT_SECONDS = 15.0
"""Seconds between two heartbeats."""
TORN_SECONDS = 5.0
"""Age up to which a file without an owner may be one that its owner is writing. A broken clock may date it into the future."""
ENDED_STATES = ("Z", "X")
"""States, in Linux's /proc, of a process that has ended."""


class Lock:
    """`with Lock(out):` allows one run at a time. The lock of an ended process of this host is taken over.

    Raises LockedError (exit 6), with host, pid and age, if the owner is alive or runs on another host.
    """

    def __init__(self, out: Path, *, force: bool = False) -> None:
        self.path = out / "lock.json"
        self._hold = _Object(self.path) if isinstance(self.path, ObjectPath) else _File(self.path)
        self._force = force
        self._torn = ""
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
        raise LockedError(
            f"{self.path} could not be taken{self._torn or ': other runs keep taking it first'}. Try again in a moment"
            + (", or, if no run is working there, with --force-unlock." if self._torn else ".")
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._hold.release()

    def _live(self) -> None:
        while not self._stop.wait(LOCK_HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError, TileEngineError):
                self._hold.beat()

    def _clear_dead(self) -> bool:
        """Take over the lock of an ended process; raise for an owner that may be alive. True: the lock is ours."""
        try:
            age = time.time() - self.path.stat().st_mtime
            owner = _owner(self.path)
        except FileNotFoundError:
            return False
        if owner is None:
            if not _torn(self.path):
                raise SettingsError(
                    f"{self.path} exists, and it is no lock of tile-engine's: the run would overwrite it. Nothing was begun. "
                    "Move it away, or choose another folder with --out.",
                    "E_FOREIGN",
                )
            if age < TORN_SECONDS and not self._force:  # its owner may be writing it
                time.sleep(0.2)
                self._torn = f": its file states no owner and is {age:.0f} s old"
                return False
        else:
            is_local = owner["host"] == socket.gethostname()
            is_alive = is_local and _started(int(owner["pid"])) == owner["started"]
            if is_alive or not (is_local or self._force):
                raise LockedError(
                    f"another run owns {self.path.parent}: host {owner['host']}, pid {owner['pid']}, last sign of life "
                    f"{age:.0f} s ago. Two runs would write the same files; wait for it, or "
                    + ("stop it." if is_local else "if it has certainly ended, run again with --force-unlock.")
                )
        return self._hold.succeed(owner)


class _File:
    """A lock on disk: a heartbeat sets its modification time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        with os.fdopen(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), "w") as file:
            json.dump(_me(), file)

    def beat(self) -> None:
        os.utime(self.path)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if _owner(self.path) == _me():  # another run may have taken it with --force-unlock
                self.path.unlink()

    def succeed(self, owner: dict[str, Any] | None) -> bool:
        """Remove an ended owner's file, so that a process can create its own."""
        dead = partial_path(self.path)
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(dead)
            if _owner(dead) != owner:  # another run took it over meanwhile: give it back
                with contextlib.suppress(FileExistsError):
                    os.link(dead, self.path)
            dead.unlink()
        return False


class _Object:
    """A lock in an object store: created if absent, then replaced only if its content is the expected one."""

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
            self._tag = self.path.meta()["e_tag"]  # the object was created, and the response was lost

    def beat(self) -> None:
        self._tag = self.path.swap(self._me, self._tag)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.path.read_bytes() == self._me:
                self.path.unlink()

    def succeed(self, owner: dict[str, Any] | None) -> bool:
        """Replace an ended owner's object, unless another run was first."""
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            tag = self.path.meta()["e_tag"]
            if _owner(self.path) == owner:
                self._tag = self.path.swap(self._me, tag)
                return True
        return False


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(path.read_text())
        kinds = {"host": str, "pid": int, "started": str | None}
        return owner if all(isinstance(owner[key], kind) for key, kind in kinds.items()) else None
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _torn(path: Path) -> bool:
    """Whether a file without an owner is an incomplete lock of ours: truncated, or emptied by a power cut."""
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes().rstrip(b"\0")
        return data.startswith(b'{"host"') or not data
    return True


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> str | None:
    """Start time of a process in the kernel's ticks; a pid alone may belong to another process by now.

    None for a process that is gone, or that has ended while its parent has not fetched its exit status.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _alive_elsewhere(pid)
    state, *others = stat.rsplit(")", 1)[1].split()
    return None if state in ENDED_STATES else others[18]


def _alive_elsewhere(pid: int) -> str | None:
    """Without /proc (macOS, Windows): "unknown" if the pid is in use, else None."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "unknown"

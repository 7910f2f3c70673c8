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

from ..errors import LockedError

HEARTBEAT = 15.0
"""Seconds between two signs of life."""


class Lock:
    """`with Lock(out):` one run at a time. A lock of this host whose process is gone is taken over.

    Raises LockedError (exit 6), naming host, pid and age, where another run is alive or lies on another host.
    """

    def __init__(self, out: Path, *, force: bool = False) -> None:
        self.path = out / "lock.json"
        self._force = force
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._live, name="lock heartbeat", daemon=True)

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(60):
            try:
                fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._clear_dead()
                continue
            with os.fdopen(fd, "w") as file:
                json.dump(_me(), file)
            self._beat.start()
            return self
        raise LockedError(f"{self.path} could not be taken: other runs keep taking it first. Try again in a moment.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _live(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def _clear_dead(self) -> None:
        """Remove the lock of a process that is gone; raise for one that may be alive."""
        try:
            age = time.time() - self.path.stat().st_mtime
            owner = _owner(self.path)
        except FileNotFoundError:
            return
        if owner is None:
            if age < 5:  # its owner may be writing it this very moment
                time.sleep(0.2)
                return
        else:
            here = owner["host"] == socket.gethostname()
            alive = here and _started(int(owner["pid"])) == owner["started"]
            if alive or not (here or self._force):
                raise LockedError(
                    f"another run owns {self.path.parent}: host {owner['host']}, pid {owner['pid']}, last sign of life "
                    f"{age:.0f} s ago. Two runs would write the same files; wait for it, or "
                    + ("stop it." if here else "if it is surely gone, run again with --force-unlock.")
                )
        dead = self.path.with_name(f".lock.{uuid.uuid4().hex[:8]}.partial")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(dead)
            if _owner(dead) != owner:  # another run took it over meanwhile: it is theirs
                with contextlib.suppress(FileExistsError):
                    os.link(dead, self.path)
            dead.unlink()


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(path.read_text())
        return owner if {"host", "pid", "started"} <= owner.keys() else None
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: a pid alone may have been given to another process since."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _alive_elsewhere(pid)
    return stat.rsplit(")", 1)[1].split()[19]


def _alive_elsewhere(pid: int) -> str | None:
    """Without /proc (macOS, Windows) all that can be known is whether the pid is taken."""
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "unknown"

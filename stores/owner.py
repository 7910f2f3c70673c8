"""Owner: the process that holds a lock, and whether it still lives: told by its pid where pids can be compared, else by the
lock's age.

A pid is a number of one namespace. Two containers on one machine may have the same host name and the same pids, so the facts
of a lock name the boot of the machine and the namespace of its pid.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Literal

from .files import partial_path
from .regular import NotAFileError, read_regular

SILENT_SECONDS = 120.0
"""A lock without a heartbeat for so long (eight are missed) is that of an ended process, if it was made on this host."""
MAX_LOCK_BYTES = 65536
"""Bytes of a lock that are read; ours has about 200."""
ENDED_STATES = ("Z", "X")
"""States, in Linux's /proc, of a process that has ended."""

Owner = dict[str, Any]
Fate = Literal["alive", "ended", "silent", "elsewhere"]
"""alive: runs, or gave a sign of life lately; ended: certainly; silent: cannot be seen, and no heartbeat for SILENT_SECONDS;
elsewhere: on another host."""


def this_process() -> Owner:
    """The facts that a lock states of its owner."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": started(pid), "space": pid_space()}


def pid_space() -> str:
    """The boot of the machine and the namespace of pids, within which a pid means one process; empty without Linux's /proc."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def owner_in(path: Path) -> Owner | None:
    """The owner that a lock names; None for any other content. Raises FileNotFoundError."""
    try:
        owner = json.loads(read_regular(path, MAX_LOCK_BYTES))
    except (ValueError, RecursionError, NotAFileError):
        return None
    is_complete = isinstance(owner, dict) and {"host", "pid", "started"} <= owner.keys()
    return owner if is_complete and isinstance(owner["host"], str) and isinstance(owner["pid"], int) else None


def fate_of(owner: Owner, age: float) -> Fate:
    """What is known of a lock's owner, `age` seconds after its last sign of life."""
    if owner["host"] != socket.gethostname():
        return "elsewhere"
    space = pid_space()
    if owner.get("space", space) == space:  # a lock of an earlier version does not tell its own
        return "alive" if started(int(owner["pid"])) == owner["started"] else "ended"
    return "silent" if age > SILENT_SECONDS else "alive"


def can_see(owner: Owner) -> bool:
    """Whether the owner's pid means the same process here."""
    space = pid_space()
    return bool(owner["host"] == socket.gethostname() and owner.get("space", space) == space)


def age_of(path: Path) -> float:
    """Seconds since a file's last change, by the clock of its own disk: clocks of two machines differ. Raises
    FileNotFoundError."""
    last = path.stat().st_mtime
    probe = partial_path(path)
    try:
        probe.write_bytes(b"")
        now = probe.stat().st_mtime
    except OSError:  # a folder that cannot be written
        now = time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return now - last


def started(pid: int) -> str | None:
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

"""Lock of an output folder: a file created exclusively, with its owner in it, updated by a heartbeat."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ..errors import LockedError, SettingsError, TileEngineError
from .files import partial_path
from .owner import SILENT_SECONDS, Owner, age_of, can_see, fate_of, owner_in, this_process
from .regular import NotAFileError, read_regular
from .remote import ObjectPath

log = logging.getLogger("tile_engine")
LOCK_HEARTBEAT_SECONDS = 15.0
"""Seconds between two heartbeats."""
TORN_SECONDS = 5.0
"""Age up to which a file without an owner may be one that its owner is writing. A broken clock may date it into the future."""


class _LostError(Exception):
    """The lock is not ours any more; the text says whose it is."""


class Lock:
    """`with Lock(out):` allows one run at a time. The lock of an ended process of this host is taken over.

    Raises LockedError (exit 6), with host, pid and age, if the owner is alive or runs on another host. If another run takes the
    lock, or it is removed, the main thread is interrupted, and the end of the `with` block raises LockedError. `tell` is called
    with a line of text when a heartbeat fails.
    """

    def __init__(self, out: Path, *, force: bool = False, tell: Callable[[str], None] = lambda text: None) -> None:
        self.path = out / "lock.json"
        self._hold = _Object(self.path) if isinstance(self.path, ObjectPath) else _File(self.path)
        self._force = force
        self._tell = tell
        self._lost = ""
        self._torn = ""
        self._stop = threading.Event()
        self._in_main = threading.current_thread() is threading.main_thread()
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
        if self._lost:
            raise LockedError(
                f"this run lost its lock: {self._lost}. Two runs may have written to {self.path.parent}, so this one was "
                "stopped. Wait for the other run, then run `tile-engine verify` and this command again.",
                "E_LOCK_LOST",
            ) from error

    def _live(self) -> None:
        failing = False
        while not self._stop.wait(LOCK_HEARTBEAT_SECONDS):
            try:
                self._hold.beat()
                failing = False
            except _LostError as lost:
                if self._stop.is_set():
                    return
                self._lost = str(lost)
                log.error("the lock was lost: %s", lost)
                if self._in_main:  # a real signal wakes a main thread that waits
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
            except (OSError, TileEngineError) as error:
                if self._stop.is_set():  # the lock was given back meanwhile
                    return
                text = f"no sign of life could be left in {self.path} ({error}): other runs may take this one for ended"
                log.warning("%s", text)
                if not failing:
                    self._tell(text)
                failing = True

    def check(self) -> tuple[Owner | None, float]:
        """The present owner and the age of its last sign of life; nothing is taken or written.

        Raises LockedError for an owner that may be alive, SettingsError (E_FOREIGN) for a file that is no lock, and
        FileNotFoundError where there is no lock.
        """
        age = age_of(self.path)
        owner = owner_in(self.path)
        if owner is not None:
            self._check_ended(owner, age)
        elif not _torn(self.path):
            raise SettingsError(
                f"{self.path} exists, and it is no lock of tile-engine's: the run would overwrite it. Nothing was begun. "
                "Move it away, or choose another folder with --out.",
                "E_FOREIGN",
            )
        return owner, age

    def _clear_dead(self) -> bool:
        """Take over the lock of an ended process; raise for an owner that may be alive. True: the lock is ours."""
        try:
            owner, age = self.check()
        except FileNotFoundError:
            return False
        if owner is None and abs(age) < TORN_SECONDS and not self._force:  # its owner may be writing it
            time.sleep(0.2)
            self._torn = f": its file states no owner and is {age:.0f} s old"
            return False
        return self._hold.succeed(owner)

    def _check_ended(self, owner: Owner, age: float) -> None:
        """Raises LockedError for an owner that may be alive."""
        fate = fate_of(owner, age)
        visible = can_see(owner)
        if fate in ("ended", "silent") or (self._force and not visible):
            return
        if visible:
            advice = "stop it."
        elif fate == "elsewhere":
            advice = "if it has certainly ended, run again with --force-unlock."
        else:
            advice = (
                "if it has certainly ended, run again with --force-unlock. Its process belongs to another container, or to the "
                f"time before this machine was started, so only its signs of life tell: {SILENT_SECONDS:.0f} s without one "
                "end it."
            )
        raise LockedError(
            f"another run owns {self.path.parent}: host {owner['host']}, pid {owner['pid']}, last sign of life "
            f"{age:.0f} s ago. Two runs would write the same files; wait for it, or {advice}"
        )


class _File:
    """A lock on disk: a heartbeat sets its modification time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        with os.fdopen(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), "w") as file:
            json.dump(this_process(), file)

    def beat(self) -> None:
        try:
            owner = owner_in(self.path)
        except FileNotFoundError:
            raise _LostError(f"{self.path} was removed") from None
        if owner != this_process():
            raise _LostError(_said_of(self.path, owner))
        os.utime(self.path)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if owner_in(self.path) == this_process():  # another run may have taken it with --force-unlock
                self.path.unlink()

    def succeed(self, owner: Owner | None) -> bool:
        """Remove an ended owner's file, so that a process can create its own."""
        dead = partial_path(self.path)
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(dead)
            if owner_in(dead) != owner:  # another run took it over meanwhile: give it back
                with contextlib.suppress(FileExistsError):
                    os.link(dead, self.path)
            dead.unlink()
        return False


class _Object:
    """A lock in an object store: created if absent, then replaced only if its content is the expected one."""

    def __init__(self, path: ObjectPath) -> None:
        self.path = path
        self._me = json.dumps(this_process() | {"token": uuid.uuid4().hex}).encode()
        self._tag = ""

    def create(self) -> None:
        try:
            self._tag = self.path.create(self._me)
        except FileExistsError:
            if self.path.read_bytes() != self._me:
                raise
            self._tag = self.path.meta()["e_tag"]  # the object was created, and the response was lost

    def beat(self) -> None:
        try:
            self._tag = self.path.swap(self._me, self._tag)
        except FileExistsError:
            try:
                content, tag = self.path.read_bytes(), self.path.meta()["e_tag"]
                owner = owner_in(self.path)
            except FileNotFoundError:
                raise _LostError(f"{self.path} was removed") from None
            if content != self._me:
                raise _LostError(_said_of(self.path, owner)) from None
            self._tag = tag  # an earlier heartbeat was written, and the response was lost

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.path.read_bytes() == self._me:
                self.path.unlink()

    def succeed(self, owner: Owner | None) -> bool:
        """Replace an ended owner's object, unless another run was first."""
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            tag = self.path.meta()["e_tag"]
            if owner_in(self.path) == owner:
                self._tag = self.path.swap(self._me, tag)
                return True
        return False


def _said_of(path: Path, owner: Owner | None) -> str:
    return f"host {owner['host']}, pid {owner['pid']} owns {path}" if owner else f"{path} was overwritten"


def _torn(path: Path) -> bool:
    """Whether a file without an owner is an incomplete lock of ours: truncated, or emptied by a power cut."""
    try:
        data = read_regular(path).rstrip(b"\0")
    except FileNotFoundError:
        return True
    except NotAFileError:
        return False
    return data.startswith(b'{"host"') or not data

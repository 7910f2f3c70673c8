"""Stage: copies of slides on this machine's own disk, for readers that cannot read where the slides lie, or are slow there.

```text
STAGE/ <key>/            the slide's file and what belongs to it: whole, or absent
       <key>.lock        locked, shared, while somebody reads it; alone, while it is fetched or removed; holds its bytes,
                         and goes with them: a stage that 10^5 slides have passed through is no slower for it
       .<key>.x.partial  being fetched
       room.lock         locked while room is made
```
All processes of a machine share it. Locks end with the process that holds them, so no copy stays in use by the dead.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import MachineError, SettingsError, SlideError, UnfinishedError
from .files import FULL
from .remote import ObjectPath
from .slides.companions import parts

FOLDER, LIMIT = "TILE_ENGINE_STAGE", "TILE_ENGINE_STAGE_LIMIT"
"""Variables of the environment by which a machine says where copies lie, and how many GB of them; they go before a run's."""
_RUN = {FOLDER: "TILE_ENGINE_RUN_STAGE", LIMIT: "TILE_ENGINE_RUN_STAGE_LIMIT"}
"""Those in which a run hands its own words on to its children."""
MOST = 50e9
"""Bytes that copies take at most where nobody says otherwise; half of what is free, where that is less."""
PATIENCE = 1800.0
"""Seconds to wait for others to be done with their copies."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where copies are kept, and how much of them."""

    folder: Path
    limit: float
    """Bytes."""


def use(folder: str | Path | None = None, limit: float | None = None) -> None:
    """From now on this run's copies, in this process and its children, lie in `folder` and take `limit` GB. Naming a folder
    stages slides that lie on disks, too."""
    words = {
        FOLDER: None if folder is None else str(Path(folder).expanduser().absolute()),
        LIMIT: None if limit is None else f"{limit:g}",
    }
    for name, word in words.items():
        if word is None:
            os.environ.pop(_RUN[name], None)
        elif os.environ.get(_RUN[name]) != word:  # other threads may be looking
            os.environ[_RUN[name]] = word


def used() -> dict[str, str | float | None]:
    """What `use` was told, for workers on other machines."""
    limit = os.environ.get(_RUN[LIMIT])
    return {"folder": os.environ.get(_RUN[FOLDER]), "limit": None if limit is None else float(limit)}


def wanted(source: Path) -> bool:
    """Whether a slide is copied before it is read."""
    if isinstance(source, ObjectPath):
        return True
    folder = _word(FOLDER)
    return folder is not None and not source.absolute().is_relative_to(folder)  # a copy is not copied again


def _word(name: str) -> str | None:
    return os.environ.get(name) or os.environ.get(_RUN[name])


def stage() -> Stage:
    """The stage of this machine; its folder is made. Raises SettingsError where it cannot be."""
    usual = Path(tempfile.gettempdir()) / f"tile-engine-stage-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder = Path(_word(FOLDER) or usual)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # slides are nobody else's business
        if folder == usual and hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
            raise PermissionError(1, "somebody else made it, and could change what is read from it")
        free = shutil.disk_usage(folder).free
        said = _word(LIMIT)
        if said:
            return Stage(folder, float(said) * 1e9)
        held = sum(map(_bytes, folder.glob("*.lock")))
        return Stage(folder, min(MOST, (free + held) / 2))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"slides cannot be staged in {folder} ({error}): name a folder on a disk of this machine with --stage, and how "
            "many GB it may take with --stage-limit.",
            "E_STAGE",
        ) from error


@contextmanager
def near(source: Path, mark: str) -> Iterator[Path]:
    """A copy where one is wanted, else the slide itself."""
    if not wanted(source):
        yield source
        return
    with staged(source, mark) as copy:
        yield copy


@contextmanager
def staged(source: Path, mark: str) -> Iterator[Path]:
    """A copy on this machine while this lasts; `mark` tells the source from what it was before it changed."""
    lease = Lease(source, mark)
    try:
        yield lease.path
    finally:
        lease.release()


class Lease:
    """The right to read a copy: until it is released, nobody removes it."""

    def __init__(self, source: Path, mark: str) -> None:
        where = stage()
        key = hashlib.sha256(f"{source}\n{mark}".encode("utf-8", "surrogateescape")).hexdigest()[:20]
        home = where.folder / key
        self.path = home / source.name
        while True:
            self._lock = (where.folder / f"{key}.lock").open("a+b")
            try:
                _flock(self._lock, "shared")
                if not (_stands(self._lock) and home.is_dir()):
                    _flock(self._lock, "none")
                    _flock(self._lock, "alone")
                    if _stands(self._lock) and not home.is_dir():
                        _fetch(source, home, self._lock, where)
                    _flock(self._lock, "shared")
                if _stands(self._lock) and home.is_dir():
                    os.utime(self._lock.name)  # the least recently used goes first
                    return
            except BaseException:
                self._lock.close()
                raise
            self._lock.close()

    def release(self) -> None:
        self._lock.close()


def _fetch(source: Path, home: Path, lock: IO[bytes], where: Stage) -> None:
    """Bring the slide and what belongs to it, in room that is made first; the caller holds the lock alone."""
    found = list(parts(source))
    if not found:
        raise SlideError(f"{source.name}: there is nothing at {source}; it was moved or deleted.", "E_MISSING")
    need = sum(size for _, _, size in found)
    _make_room(source, need, lock, where)
    for left in home.parent.glob(f".{home.name}.*.partial"):  # a fetch that was killed
        shutil.rmtree(left, ignore_errors=True)
    aside = home.with_name(f".{home.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda part: _copy(part[0], aside / part[1], part[2]), found):
                pass
        aside.rename(home)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        _note(lock, 0)
        if isinstance(error, OSError) and error.errno in FULL:
            raise UnfinishedError(
                f"no room left to stage {source} ({need / 1e9:.2f} GB) in {where.folder}: {error.strerror}. Free some "
                "space, or name another folder with --stage, and run the same command again.",
                "E_DISK_FULL",
            ) from error
        raise


def _copy(source: Path, to: Path, size: int) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, ObjectPath):
        source.download(to)
    else:
        shutil.copyfile(source, to)
    if (got := to.stat().st_size) != size:
        raise UnfinishedError(
            f"{source} had {size} bytes and {got} came: it changed on the way. Run the same command again."
        )


def _make_room(source: Path, need: int, lock: IO[bytes], where: Stage) -> None:
    """Take `need` bytes of the stage, for which unused copies are removed, the least recently used first.

    Raises MachineError (E_STAGE_FULL) where that will never do.
    """
    end = time.monotonic() + PATIENCE
    while need <= where.limit:
        with (where.folder / "room.lock").open("a+b") as room:
            _flock(room, "alone")
            if _free(need, lock, where):
                _note(lock, need)
                return
        if time.monotonic() > end:
            break
        gc.collect()  # a copy may be held by a handle that nobody has any more
        time.sleep(0.5)
    raise MachineError(
        f"{source} takes {need / 1e9:.2f} GB and {where.folder} may hold {where.limit / 1e9:.2f} GB of slides"
        + (", all of which are in use" if need <= where.limit else "")
        + ": it cannot be read without a copy. Give more with --stage-limit, or another folder with --stage.",
        "E_STAGE_FULL",
    )


def _free(need: int, lock: IO[bytes], where: Stage) -> bool:
    """Whether `need` bytes more fit, after unused copies were removed as far as that is needed."""
    others = [path for path in where.folder.glob("*.lock") if path.name not in ("room.lock", Path(lock.name).name)]
    used = sum(map(_bytes, others))
    for path in sorted(others, key=lambda path: path.stat().st_mtime):
        if used + need <= where.limit and shutil.disk_usage(where.folder).free > need:
            return True
        with path.open("a+b") as theirs:
            if _flock(theirs, "alone at once"):
                used -= _bytes(path)
                for left in (where.folder / path.stem, *where.folder.glob(f".{path.stem}.*.partial")):
                    shutil.rmtree(left, ignore_errors=True)
                path.unlink()
    return used + need <= where.limit and shutil.disk_usage(where.folder).free > need


def _note(lock: IO[bytes], size: int) -> None:
    os.truncate(lock.fileno(), 0)
    os.write(lock.fileno(), str(size).encode())


def _bytes(lock: Path) -> int:
    with suppress(FileNotFoundError, ValueError):
        return int(lock.read_bytes() or b"0")
    return 0


def _stands(lock: IO[bytes]) -> bool:
    """Whether an open lock is still the one of its name: whoever waited for it may find it removed with its copy."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), Path(lock.name).stat())
    return False


def _flock(file: IO[bytes], how: str) -> bool:
    import fcntl

    modes = {"shared": fcntl.LOCK_SH, "alone": fcntl.LOCK_EX, "none": fcntl.LOCK_UN}
    try:
        fcntl.flock(file, modes.get(how, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True

"""Cache: copies of slides on a local disk of this machine, for readers that cannot read the original, or only slowly.

All processes of a user on a machine share the cache; cache_folder.py describes its folder. The system releases a lock when
its process ends, so a killed process keeps no copy in use. A lock file holds the size of its copy and is removed with it, so
the cache does not slow down with the number of slides that it has held.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from ..errors import MachineError, SettingsError, SlideError, UnfinishedError
from .cache_folder import flock, half_fetched, locks, open_lock, own_folder
from .files import DISK_FULL_ERRNOS, partial_path
from .remote import ObjectPath
from .slides.companions import parts

U = TypeVar("U")
R = TypeVar("R")

FOLDER_VARIABLE, LIMIT_VARIABLE = "TILE_ENGINE_CACHE_DIR", "TILE_ENGINE_CACHE_LIMIT"
"""Environment variables of a machine: folder of the copies, and their limit in GB. They override the settings of a run."""
_RUN_VARIABLES = {FOLDER_VARIABLE: "TILE_ENGINE_RUN_CACHE_DIR", LIMIT_VARIABLE: "TILE_ENGINE_RUN_CACHE_LIMIT"}
"""Environment variables that pass the settings of a run on to its child processes."""
DEFAULT_CACHE_BYTES = 50e9
"""Default limit of the copies in bytes; half of the free space, if that is less."""
ROOM_WAIT_SECONDS = 1800.0
"""Seconds to wait until other processes release their copies."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Folder and size limit of the cache."""

    folder: Path
    """A marked folder that only tile-engine writes."""
    limit: float
    """Bytes."""


def use_cache(folder: str | Path | None = None, limit: float | None = None) -> None:
    """Set folder and limit (GB) of the copies for this process and its children.

    With a folder, slides on disks are copied, too.
    """
    words = {
        FOLDER_VARIABLE: None if folder is None else str(Path(folder).expanduser().absolute()),
        LIMIT_VARIABLE: None if limit is None else f"{limit:g}",
    }
    for name, word in words.items():
        if word is None:
            os.environ.pop(_RUN_VARIABLES[name], None)
        elif os.environ.get(_RUN_VARIABLES[name]) != word:  # other threads may read it meanwhile
            os.environ[_RUN_VARIABLES[name]] = word


def cache_settings() -> dict[str, str | float | None]:
    """The arguments of `use_cache`. run.json records them; they are never read from there, because a folder of results from
    somebody else must not decide where copies are written and removed."""
    limit = os.environ.get(_RUN_VARIABLES[LIMIT_VARIABLE])
    return {"folder": os.environ.get(_RUN_VARIABLES[FOLDER_VARIABLE]), "limit": None if limit is None else float(limit)}


def with_cache_settings(work: Callable[[U], R]) -> Callable[[U], R]:
    """`work` with the cache settings of this process, for a process elsewhere."""
    return partial(_with_settings, cache_settings(), work)


def _with_settings(settings: Mapping[str, Any], work: Callable[[U], R], unit: U) -> R:
    use_cache(**settings)
    return work(unit)


def is_copied(source: Path) -> bool:
    """Whether a slide is copied before it is read: from object stores always, from disks if a folder is set."""
    if isinstance(source, ObjectPath):
        return True
    folder = _setting(FOLDER_VARIABLE)
    return folder is not None and not source.absolute().is_relative_to(folder)  # a copy is not copied again


def _setting(name: str) -> str | None:
    return os.environ.get(name) or os.environ.get(_RUN_VARIABLES[name])


def cache() -> Cache:
    """The cache of this machine; creates its folder. Raises SettingsError (E_CACHE) if that fails."""
    folder = Path(_setting(FOLDER_VARIABLE) or tempfile.gettempdir())
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # no other user may read slides
        home = own_folder(folder)
        free_bytes = shutil.disk_usage(home).free
        limit = _setting(LIMIT_VARIABLE)
        if limit:
            return Cache(home, float(limit) * 1e9)
        held_bytes = sum(map(_bytes, locks(home)))
        return Cache(home, min(DEFAULT_CACHE_BYTES, (free_bytes + held_bytes) / 2))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"slides cannot be copied to {folder} ({error}): name a folder on a disk of this machine with --cache-dir, and "
            "the GB that copies may take there with --cache-limit.",
            "E_CACHE",
        ) from error


@contextmanager
def near(source: Path, mark: str, *, alone: bool = False) -> Iterator[Path]:
    """Path of a copy if the slide is copied, else of the slide itself. `alone`: without the files that belong to a slide."""
    if not is_copied(source):
        yield source
        return
    with cached(source, mark, alone=alone) as copy:
        yield copy


@contextmanager
def cached(source: Path, mark: str, *, alone: bool = False) -> Iterator[Path]:
    """Path of a copy on this machine, valid in the `with` block; `mark` is the fingerprint of the source."""
    lease = Lease(source, mark, alone=alone)
    try:
        yield lease.path
    finally:
        lease.release()


class Lease:
    """The right to read a copy: nobody removes the copy before the lease is released."""

    def __init__(self, source: Path, mark: str, *, alone: bool = False) -> None:
        where = cache()
        name = f"{source}\n{mark}" + ("\nalone" if alone else "")
        key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        home = where.folder / key
        self.path = home / source.name
        while True:
            self._lock = open_lock(where.folder / f"{key}.lock")
            try:
                flock(self._lock, "shared")
                if not (_stands(self._lock) and home.is_dir()):
                    flock(self._lock, "none")
                    flock(self._lock, "alone")
                    if _stands(self._lock) and not home.is_dir():
                        files = [(source, source.name, source.stat().st_size)] if alone else list(parts(source))
                        _fetch(source, files, home, self._lock, where)
                    flock(self._lock, "shared")
                if _stands(self._lock) and home.is_dir():
                    os.utime(self._lock.name)  # the least recently used goes first
                    return
            except BaseException:
                self._lock.close()
                raise
            self._lock.close()

    def release(self) -> None:
        self._lock.close()


def _fetch(source: Path, files: Sequence[tuple[Path, str, int]], home: Path, lock: IO[bytes], where: Cache) -> None:
    """Copy the files of a slide (path, name, bytes), after making room; the caller holds the exclusive lock."""
    if not files:
        raise SlideError(f"{source.name}: there is nothing at {source}; it was moved or deleted.", "E_MISSING")
    need = sum(size for _, _, size in files)
    _make_room(source, need, lock, where)
    for remnant in half_fetched(where.folder, home.name):  # by a process that was killed
        shutil.rmtree(remnant, ignore_errors=True)
    unfinished = partial_path(home)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda part: _copy(part[0], unfinished / part[1], part[2]), files):
                pass
        unfinished.rename(home)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        _note(lock, 0)
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
            raise UnfinishedError(
                f"no room left to copy {source} ({need / 1e9:.2f} GB) to {where.folder}: {error.strerror}. Free some "
                "space, or name another folder with --cache-dir, and run the same command again.",
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
            f"{source} had {size} bytes and its copy has {got}: it changed while it was copied. Run the same command again."
        )


def _make_room(source: Path, need: int, lock: IO[bytes], where: Cache) -> None:
    """Reserve `need` bytes of the cache; unused copies are removed for it, the least recently used first.

    Raises MachineError (E_CACHE_FULL) if they do not fit, or if all other copies stay in use.
    """
    end = time.monotonic() + ROOM_WAIT_SECONDS
    while need <= where.limit:
        with open_lock(where.folder / "room.lock") as room:
            flock(room, "alone")
            if _free(need, lock, where):
                _note(lock, need)
                return
        if time.monotonic() > end:
            break
        gc.collect()  # an unreachable object may still hold a lease
        time.sleep(0.5)
    raise MachineError(
        f"the copy of {source} takes {need / 1e9:.2f} GB and {where.folder} may hold {where.limit / 1e9:.2f} GB of slides"
        + (", all of which are in use" if need <= where.limit else "")
        + ": the slide cannot be read without a copy. Raise --cache-limit, or name another folder with --cache-dir.",
        "E_CACHE_FULL",
    )


def _free(need: int, lock: IO[bytes], where: Cache) -> bool:
    """Remove unused copies until `need` more bytes fit; returns whether they do."""
    other_locks = [path for path in locks(where.folder) if path.name != Path(lock.name).name]
    used_bytes = sum(map(_bytes, other_locks))
    for path in sorted(other_locks, key=lambda path: path.stat().st_mtime):
        if used_bytes + need <= where.limit and shutil.disk_usage(where.folder).free > need:
            return True
        with open_lock(path) as other_lock:
            if flock(other_lock, "alone at once"):
                used_bytes -= _bytes(path)
                for remnant in (where.folder / path.stem, *half_fetched(where.folder, path.stem)):
                    shutil.rmtree(remnant, ignore_errors=True)  # which follows no link
                path.unlink()
    return used_bytes + need <= where.limit and shutil.disk_usage(where.folder).free > need


def _note(lock: IO[bytes], size: int) -> None:
    os.truncate(lock.fileno(), 0)
    os.write(lock.fileno(), str(size).encode())


def _bytes(lock: Path) -> int:
    with suppress(FileNotFoundError, ValueError):
        return int(lock.read_bytes() or b"0")
    return 0


def _stands(lock: IO[bytes]) -> bool:
    """Whether an open lock file still has its name: it may have been removed with its copy while this process waited."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), Path(lock.name).stat())
    return False

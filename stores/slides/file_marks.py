"""File marks: texts that change with a file, and with the other files of a slide of several: the parts of its fingerprint.

```text
MRXS: files of its folder   VSI: .ets files   VMS, VMU: images that it lists   DICOM: other files of the series
```
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from pathlib import Path

from ...errors import SlideError
from ..contents import STATED_FILES, state_of
from ..regular import open_regular
from ..remote import ObjectPath
from .companions import partners, parts

_HASHED_BYTES = 65536
_FILE = re.compile(r"(?P<size>\d+)-\d+-(?P<ends>[0-9a-f]{64})")


def size_and_time(file: Path) -> str:
    """Of a file; of an object the size alone."""
    status = file.stat()
    return str(status.st_size) if isinstance(file, ObjectPath) else f"{status.st_size}-{status.st_mtime_ns}"


def file_mark(file: Path) -> str:
    """Size, time and a hash of both ends of a file; size and tag of an object. Raises OSError."""
    if isinstance(file, ObjectPath):
        meta = file.meta()
        return f"{meta['size']}-{meta['e_tag']}"
    status = file.stat()
    ends = hashlib.sha256()
    with open_regular(file) as handle:
        ends.update(handle.read(_HASHED_BYTES))
        handle.seek(max(status.st_size - _HASHED_BYTES, 0))
        ends.update(handle.read(_HASHED_BYTES))
    return f"{status.st_size}-{status.st_mtime_ns}-{ends.hexdigest()}"


def siblings_mark(slide: Path) -> tuple[str, ...]:
    """Bytes, hash of names and times (as a number), and hash of sizes of every other file of a slide; empty where it has none.

    The form is that of a file's own fingerprint, and the times stand apart in it: a copy of the slide differs in them alone.
    """
    known = {slide, *partners(slide)}
    found = itertools.islice(parts(slide), STATED_FILES)
    files = sorted((name, size, path) for path, name, size in found if path not in known)
    if not files:
        return ()
    times = hashlib.sha256()
    for name, _, path in files:
        times.update(f"{name}/{_time(path)}\n".encode("utf-8", "surrogateescape"))
    sizes = hashlib.sha256(" ".join(str(size) for size in sorted(size for _, size, _ in files)).encode())
    number = int.from_bytes(times.digest()[:8])
    return (f"{sum(size for _, size, _ in files)}-{number}-{sizes.hexdigest()}",)


def _time(file: Path) -> str:
    return str(file.meta()["e_tag"]) if isinstance(file, ObjectPath) else str(file.stat().st_mtime_ns)


def fingerprint(path: Path) -> str:
    """Fingerprint that changes with an image: size, time and a hash of both ends of the file; of its other files names, sizes
    and times. Of a zarr folder: its metadata files, and names, sizes and times of all files (see contents.py). Of any other
    folder: those of the files in it and below.

    Raises SlideError (E_MISSING, E_UNREADABLE).
    """
    try:
        if not path.is_dir():
            return "+".join((*(file_mark(file) for file in (path, *partners(path))), *siblings_mark(path)))
        parts = sorted(p for p in (path, *path.iterdir()) if p.is_dir())
        names = ("zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata")
        files = [part / name for part in parts for name in names if (part / name).is_file()]
        whole = hashlib.sha256()
        for file in files:
            whole.update(file_mark(file).encode())
        if files:
            whole.update(state_of(path).encode())
        for name, file in [] if files else _below(path):
            whole.update(f"{name}/{size_and_time(file)}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()
    except FileNotFoundError as error:
        raise SlideError(f"{path.name}: is gone; it was moved or deleted.", "E_MISSING") from error
    except OSError as error:
        raise SlideError(f"{path.name}: cannot be read ({error.strerror}).", "E_UNREADABLE") from error


def _below(path: Path) -> list[tuple[str, Path]]:
    """(name below the folder, path) of the files of a folder and of those below it; of a prefix in a bucket, of its own."""
    if isinstance(path, ObjectPath):
        return sorted((file.name, file) for file in path.iterdir())
    found = (Path(at, name) for at, _, names in os.walk(path) for name in names)
    return sorted((file.relative_to(path).as_posix(), file) for file in found)


def may_be_same(one: str, other: str) -> bool:
    """Whether two fingerprints can be of the same image: of files, size and ends must agree, and the time does not count.

    Of folders and objects the content does not stand in the fingerprint: they can be the same.

    >>> ends = "0" * 64
    >>> may_be_same(f"9-1-{ends}", f"9-2-{ends}"), may_be_same(f"9-1-{ends}", f"8-1-{ends}"), may_be_same(f"9-1-{ends}", "")
    (True, False, True)
    """
    contents = [[_FILE.fullmatch(part) for part in text.split("+")] for text in (one, other)]
    known = [[(part["size"], part["ends"]) for part in parts if part] for parts in contents if all(parts)]
    return len(known) < 2 or known[0] == known[1]

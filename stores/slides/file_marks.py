"""File marks: texts that change with a file, and with the other files of a slide of several: the parts of its fingerprint.

```text
MRXS: files of its folder   VSI: .ets files   VMS, VMU: images that it lists   DICOM: other files of the series
```
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

from ..contents import STATED_FILES
from ..regular import open_regular
from ..remote import ObjectPath
from .companions import partners, parts

_HASHED_BYTES = 65536


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

"""Siblings: the state of the other files of a slide of several, as the last part of its fingerprint.

```text
MRXS: files of its folder   VSI: .ets files   VMS, VMU: images that it lists   DICOM: other files of the series
```
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

from ..contents import STATED_FILES
from ..remote import ObjectPath
from .companions import partners, parts


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

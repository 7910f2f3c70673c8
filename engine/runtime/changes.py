"""Changes: the fingerprint of an image at each of its units, without a look at all files of a folder each time.

A fingerprint of 100,000 chunks takes about half a second, and a unit some seconds. It is taken again after RATIO times as long
as it took, so looking costs at most 1 / RATIO of the time; a single file is looked at every time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path

from ...stores.remote import to_path
from ...stores.slides.file_marks import fingerprint
from ..pipeline.record import ImageRecord

RATIO = 20
MAX_AGE_SECONDS = 60.0
"""Age of a fingerprint that is used again, at most."""
_KEPT = 64
_recent: OrderedDict[str, tuple[str, float]] = OrderedDict()
"""Path -> fingerprint, and the time until which it is used again."""
_lock = threading.Lock()


def changed_file(record: ImageRecord) -> str:
    """The first file of an image that is not as it was when the run began; "" where all are.

    Raises SlideError for a file that cannot be read, and OSError for storage that cannot be reached.
    """
    found = ((path, before, recent_fingerprint(to_path(path), before)) for path, before in record.files)
    return next((path for path, before, now in found if now != before), "")


def recent_fingerprint(path: Path, expected: str) -> str:
    """The fingerprint of an image; of a folder as it was a moment ago, if that is as `expected`.

    Raises SlideError as `fingerprint` does.
    """
    if not path.is_dir():
        return fingerprint(path)
    key = str(path)
    with _lock:
        mark, until = _recent.get(key, ("", 0.0))
    began = time.monotonic()
    if began < until and mark == expected:
        return mark
    mark = fingerprint(path)
    now = time.monotonic()
    with _lock:
        _recent[key] = mark, now + min(MAX_AGE_SECONDS, RATIO * (now - began))
        _recent.move_to_end(key)
        while len(_recent) > _KEPT:
            _recent.popitem(last=False)
    return mark

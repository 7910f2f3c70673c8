"""whole: a file of this room is there in full or not at all, whenever the process dies."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Write under a temporary name in the same folder, then rename; the folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the temporary name is short and its own: a long slide name must not pass the file system's limit by a suffix
    temporary = path.parent / f".{uuid.uuid4().hex[:12]}.partial"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path

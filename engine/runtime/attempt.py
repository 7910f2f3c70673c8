"""attempt: how long an attempt at a step took that a kill ended, told by its last sign of life."""

from __future__ import annotations

from ...stores.folder import Folder
from ..pipeline.documents import StepRecord
from ..pipeline.progress import ProgressFile


def seconds_of_attempt(folder: Folder, step: str, record: StepRecord) -> float:
    """Seconds from the begin of the unfinished attempt that the record states to its last progress or receipt; 0 for none."""
    if record.status != "running" or not record.begun:
        return 0.0
    signs = [0.0]
    for path in (ProgressFile(folder.out).path, folder.out / "receipts" / step):
        try:
            signs.append(path.stat().st_mtime_ns / 1e9)
        except OSError:  # there is none yet, or an object store, which has no folders
            continue
    return max(0.0, max(signs) - record.begun)

"""attempt: how long an attempt at a step took that a kill ended, told by its last sign of life."""

from __future__ import annotations

from ...stores.folder import Folder
from ..pipeline.documents import StepRecord, find_run, write_run
from ..pipeline.progress import ProgressFile


def close_attempts(folder: Folder) -> None:
    """Add attempts that a kill ended to the wall times of their steps; called by the next command, which holds the lock.

    So a step that the command has not come to yet has no begin, and the time that the run lay idle is not counted.
    """
    run = find_run(folder)
    if run is None:
        return
    closed = {
        name: record.model_copy(
            update={"wall": round(record.wall + seconds_of_attempt(folder, name, record), 3), "begun": 0.0}
        )
        for name, record in run.steps.items()
        if record.begun
    }
    if closed:
        write_run(folder, run.model_copy(update={"steps": {**run.steps, **closed}}))


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

"""means: the picture of the mean volume of each group of subjects and its difference from the others, of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..pipeline.job import Job
from ..runs.cluster.subjects.settings import SubjectSettings
from .answers import Answer
from .viewer import Viewer


def means_of(job: Job[Any]) -> Path | None:
    """The picture of a run that groups subjects; None of another, and where it is not drawn yet."""
    path: Path = job.folder.out / "maps" / "groups.png"
    is_drawn = isinstance(job.settings, SubjectSettings) and path.is_file() and not path.is_symlink()
    return path if is_drawn else None


def has_means(job: Job[Any]) -> bool:
    return means_of(job) is not None


def means(viewer: Viewer, run: int) -> Answer:
    """PNG. Raises LookupError where there is none."""
    path = means_of(viewer.job(run))
    if path is None:
        raise LookupError(f"run {run} has no groups that are drawn")
    return Answer(path.read_bytes(), "image/png")

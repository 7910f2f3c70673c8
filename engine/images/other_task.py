"""with_other_task: the films of a run, and beside them those of the task that its networks learn first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...stores.films.input_kind import find_films
from ...stores.remote import real
from ...stores.slides.cohort import Cohort
from ..pipeline.modality import Images

TASK, PRETRAIN = "task", "pretrain"
"""Column, and its value for films of the task that is learned first."""


def with_other_task(spec: Images, other: str) -> Cohort:
    """Films of `spec` and of the list `other`; these have the column `task`. A film in both is one of the run itself.

    Raises as `find_films`.
    """
    specs = [spec] if isinstance(spec, (str, Path)) else list(spec)
    own = {(real(entry.path), entry.part) for entry in find_films(specs).entries}
    cohort = find_films([other, *specs])  # of a film in both, the columns of the last one count
    entries = tuple(
        entry if (real(entry.path), entry.part) in own else replace(entry, extra={**entry.extra, TASK: PRETRAIN})
        for entry in cohort.entries
    )
    return replace(cohort, entries=entries)

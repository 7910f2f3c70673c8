"""with_other_task: the films of a run, and beside them those of the task that its networks learn first."""

from __future__ import annotations

from dataclasses import replace

from ...stores.films.input_kind import find_films
from ...stores.remote import as_list, real
from ...stores.slides.cohort import Cohort
from ...stores.slides.joined_values import with_joined_values
from ..pipeline.modality import Images

TASK, PRETRAIN = "task", "pretrain"
"""Column, and its value for films of the task that is learned first."""


def with_other_task(spec: Images, other: str) -> Cohort:
    """Films of `spec` and of the list `other`; these have the column `task`. A film in both is one of the run itself.

    Raises as `find_films`.
    """
    specs = as_list(spec)
    own = {(real(entry.path), entry.part): entry for entry in find_films(specs).entries}
    cohort = find_films([*specs, other])
    entries = []
    for entry in cohort.entries:
        if (same := own.get((real(entry.path), entry.part))) is not None:
            entry = replace(entry, subject=same.subject, site=same.site, extra=same.extra)
        else:
            entry = replace(entry, extra={**entry.extra, TASK: PRETRAIN})
        entries.append(entry)
    return with_joined_values(replace(cohort, entries=tuple(entries)))  # a subject of both lists has one spelling

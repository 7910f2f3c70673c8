"""cohort: the films of a run as a classifier sees them: classes, labels, subjects, sites, and the films of another task."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.lists.spellings import listed_spelling, plain_spelling
from ...pipeline.job import Job
from ...steps.films.index import FilmIndex, film_index
from ...steps.films.layout import first_row

TASK, PRETRAIN = "task", "pretrain"
"""Column of the list, and its value for films of the task that is learned first."""


@dataclass(frozen=True, slots=True)
class FilmCohort:
    """Columns of all films of films.zarr, in its order; each an array (film,)."""

    classes: tuple[str, ...]
    """Labels, the normal one first."""
    labels: Array
    """int: index into `classes`; -1 of a film without a label, left out, or of another task."""
    usable: Array
    """bool: used, and of the task itself."""
    of_pretraining: Array
    """bool: used, and of the task that is learned first."""
    index: FilmIndex

    def numbered_as(self, classes: tuple[str, ...]) -> FilmCohort:
        """The cohort with labels as networks number them, in any spelling; those that the networks do not know are -1."""
        known = [listed_spelling(name, classes) for name in self.classes]
        place = np.array([classes.index(name) if name in classes else -1 for name in known] + [-1])
        return replace(self, classes=classes, labels=place[self.labels])

    @property
    def subjects(self) -> Array:
        return self.index.texts["subject"].astype(str)

    @property
    def sites(self) -> Array:
        return np.char.strip(self.index.texts["site"].astype(str))

    @property
    def learned_first(self) -> Array:
        """bool (film,): films of the task that is learned first, with a label, of subjects who are not in the task itself."""
        apart = ~np.isin(self.subjects, self.subjects[self.usable])
        return np.asarray(self.of_pretraining & (self.pretraining_labels != "") & apart)

    @property
    def pretraining_labels(self) -> Array:
        return np.asarray(self.index.texts["label"].astype(str))


def cohort_of(job: Job[Any]) -> FilmCohort:
    """The cohort, by the index of films.zarr."""
    index = film_index(job.folder)
    return cohort_from(index, pretraining_rows(job, len(index)), job.settings.normal)


def cohort_from(index: FilmIndex, pretraining: Array, normal: str) -> FilmCohort:
    """`pretraining` bool (film,): the films of another task."""
    used = index.texts["reason"] == ""
    usable = used & ~pretraining
    texts = index.texts["label"].astype(str)
    counts = Counter(texts[usable & (texts != "")].tolist())
    names = ordered_classes(counts, normal)
    place = {name: number for number, name in enumerate(names)}
    labels = np.array([place.get(text, -1) for text in texts], np.int64)
    return FilmCohort(names, np.where(usable, labels, -1), usable, used & pretraining, index)


def ordered_classes(counts: Counter[str], normal: str) -> tuple[str, ...]:
    """The labels sorted, the normal one first: by its name, else the most frequent one.

    >>> ordered_classes(Counter({"opacity": 5, "Normal": 2, "effusion": 1}), "normal")
    ('Normal', 'effusion', 'opacity')
    """
    names = sorted(counts)
    first = [name for name in names if plain_spelling(name) == plain_spelling(normal)]
    first = first or sorted(names, key=lambda name: (-counts[name], name))[:1]
    return (*first, *(name for name in names if name not in first))


def pretraining_rows(job: Job[Any], films: int) -> Array:
    """Films of the task that is learned first, bool (film,), by the column `task` of their list; rejected batches have none."""
    rows = np.zeros(films, bool)
    for batch, record in job.slides.items():
        row = first_row(job, batch)
        for file in record.films:
            rows[row : row + file.count] = is_of_pretraining(file.columns)
            row += file.count
    return rows


def is_of_pretraining(columns: dict[str, str]) -> bool:
    return columns.get(TASK, "").strip().lower() == PRETRAIN


def has_pretraining(job: Job[Any]) -> bool:
    """Whether films of another task are to be learned first; known before any work."""
    return any(is_of_pretraining(file.columns) for record in job.slides.values() for file in record.films)

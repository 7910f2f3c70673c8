"""cases: subjects as the cases of the run: their volumes, the mean of their volumes, and what the list says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .....stores.frame import Array
from .....stores.lists.cells import number_column
from ....pipeline.job import Job
from ....pipeline.listing import first_of

NOT_COMPARED = ("subject", "mask", "split", "part")
"""Columns of a list that say nothing of a subject."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """The subjects of a run, in the order of their first volume."""

    names: tuple[str, ...]
    of_volume: Array
    """Index of each volume's subject, int64 (volumes,)."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def volumes(self) -> Array:
        """Volumes of each subject, int64 (subjects,)."""
        return np.bincount(self.of_volume, minlength=len(self.names))

    def means(self, values_NF: Array) -> Array:
        """The mean of each subject's volumes (subjects, F), float64."""
        total = np.zeros((len(self.names), values_NF.shape[1]))
        np.add.at(total, self.of_volume, values_NF.astype(np.float64))
        return np.asarray(total / self.volumes[:, None])


@dataclass(frozen=True, slots=True)
class SubjectColumns:
    """What the list says of each subject."""

    values: dict[str, Array]
    """Column -> floats (NaN where unknown), or strings ("" where unknown)."""
    notes: tuple[str, ...]
    """Values that count as unknown, in words."""


def subjects_of(job: Job[Any]) -> Subjects:
    """The subjects of the volumes in use; a volume without a subject is a subject of its own."""
    own = [record.subject or record.id for record in job.slides.values()]
    names = tuple(dict.fromkeys(own))
    place = {name: i for i, name in enumerate(names)}
    return Subjects(names, np.array([place[name] for name in own], np.int64))


def subject_columns(job: Job[Any], subjects: Subjects) -> SubjectColumns:
    """All columns of the list, and the site: of numbers the mean over a subject's volumes, else the value that all share."""
    records = list(job.slides.values())
    names = dict.fromkeys(["site", *(name for record in records for name in record.columns)])
    values: dict[str, Array] = {}
    notes: list[str] = []
    for name in names:
        texts = [str(record.column(name)).strip() for record in records]
        if name in NOT_COMPARED or not any(texts):
            continue
        column = number_column(texts, name)
        if column is None:
            values[name], unclear = _shared(texts, subjects)
            if unclear:
                notes.append(f"{name} differs between the volumes of {first_of(unclear)}: it counts as unknown")
        else:
            values[name] = _mean_numbers(np.array(column.values), subjects)
            if column.unread:
                notes.append(f"{name} is no number in {first_of(column.unread)}: it counts as unknown")
            if column.coded:
                notes.append(f"{name} has {first_of(column.coded)} for a value that is missing: it counts as unknown")
    return SubjectColumns(values, tuple(notes))


def _mean_numbers(numbers: Array, subjects: Subjects) -> Array:
    known = np.isfinite(numbers)
    count = np.bincount(subjects.of_volume[known], minlength=len(subjects))
    total = np.bincount(subjects.of_volume[known], weights=numbers[known], minlength=len(subjects))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _shared(texts: Sequence[str], subjects: Subjects) -> tuple[Array, list[str]]:
    """(the value of each subject, names of the subjects whose volumes have several)."""
    found: list[set[str]] = [set() for _ in subjects.names]
    for text, subject in zip(texts, subjects.of_volume, strict=True):
        if text:
            found[subject].add(text)
    unclear = [name for name, words in zip(subjects.names, found, strict=True) if len(words) > 1]
    return np.array([words.pop() if len(words) == 1 else "" for words in found], dtype=object), unclear

"""divisible: whether films can be divided into parts without a shared subject, and what is missing where they cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from ....errors import SettingsError
from ....stores.frame import Array
from .cohort import FilmCohort

T = TypeVar("T")


def least_subjects(folds: int) -> int:
    """Subjects that a label needs: one in each test part, and two beside each of them, for training and validation.

    >>> [least_subjects(folds) for folds in (2, 3, 5)]
    [4, 3, 5]
    """
    return max(folds, 4 if folds == 2 else 3)


def check_classes(cohort: FilmCohort, rows: Array, least: int) -> None:
    """Raises SettingsError where labels are missing (E_LABELS), or one has too few subjects (E_FEW_SUBJECTS)."""
    if len(cohort.classes) < 2:
        only = f"only {cohort.classes[0]!r}" if cohort.classes else "none"
        raise SettingsError(
            f"the films have {only} as labels, and a classifier needs two. Give a list (CSV, TSV or XLSX) with the columns "
            "path, subject and label; --label names another column.",
            "E_LABELS",
        )
    counts = subjects_by_label(cohort.labels[rows], cohort.subjects[rows], len(cohort.classes))
    label = int(counts.argmin())
    if counts[label] < least:
        fewer = int(counts[label])
        more = f"Use --cv {fewer}, or add" if 3 <= fewer < least else "Add"
        raise SettingsError(
            f"the label {cohort.classes[label]!r} has {fewer} subjects, and {least} are needed: no subject is both trained on "
            "and judged, so each part needs one of its own (a subject with films of several labels counts for the rarest). "
            f"{more} films of other subjects, or leave the label out.",
            "E_FEW_SUBJECTS",
        )


def subjects_by_label(labels: Array, subjects: Array, classes: int) -> Array:
    """Subjects of each label, int (classes,); one with several labels counts for the one with the fewest films.

    >>> subjects_by_label(np.array([0, 0, 0, 1]), np.array(["a", "a", "b", "b"]), 2)
    array([1, 1])
    """
    counts = np.bincount(labels, minlength=classes)
    left = np.ones(len(labels), bool)
    table = np.zeros(classes, np.int64)
    for label in np.argsort(counts, kind="stable"):
        members = np.unique(subjects[left & (labels == label)])
        table[label] = len(members)
        left &= ~np.isin(subjects, members)
    return table


def naming_labels(splits: Iterable[T], classes: tuple[str, ...]) -> Iterator[T]:
    """The splits; an error of theirs names the label in place of its number."""
    try:
        yield from splits
    except SettingsError as error:
        text = re.sub(r"^label (\d+)", lambda found: f"the label {classes[int(found[1])]!r}", error.message)
        raise SettingsError(text, error.code) from error

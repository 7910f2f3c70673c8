"""divisible: whether films can be divided into parts without a shared subject, and what is missing where they cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ....errors import SettingsError
from ....models.evaluation.subject_splits import subject_groups
from ....stores.frame import Array
from .cohort import FilmCohort


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
    if missing := sorted(set(range(len(cohort.classes))) - set(cohort.labels[rows].tolist())):
        names = ", ".join(cohort.classes[label] for label in missing)
        raise SettingsError(
            f"the column `split` leaves no film of {names} to train on, so that label could not be named. Put films of each "
            "label on the side `train`.",
            "E_LABELS",
        )
    with named_labels(cohort.classes):
        subject_groups(cohort.labels[rows], cohort.subjects[rows], least)


def is_divisible(labels: Array, subjects: Array, least: int) -> bool:
    """Whether each label has so many subjects."""
    try:
        subject_groups(labels, subjects, least)
    except SettingsError:
        return False
    return True


@contextmanager
def named_labels(classes: tuple[str, ...]) -> Iterator[None]:
    """An error about a label names it in place of its number."""
    try:
        yield
    except SettingsError as error:
        text = re.sub(r"^label (\d+)", lambda found: f"the label {classes[int(found[1])]!r}", error.message)
        raise SettingsError(text, error.code) from error

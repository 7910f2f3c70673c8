"""subject_splits: films divided into training, validation and test parts, and into repeated folds, without a shared subject.

A subject's films are all in one part. Labels are as frequent in each part as in the whole, as far as subjects allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError
from ..seeds import derived_seed, numpy_generator

Array = npt.NDArray[Any]
SHARES = (0.6, 0.15, 0.25)
"""Training, validation, test."""


@dataclass(frozen=True, slots=True)
class Split:
    """Sorted rows of the parts; no subject is in two of them."""

    train: Array
    validation: Array
    test: Array
    repeat: int = 0
    fold: int = 0


def subject_split(
    labels: Array, subjects: Array, *, shares: tuple[float, float, float] = SHARES, seed: int = 0
) -> Split:
    """One division by shares of the films: train, validation, test; a share of 0 leaves the part empty.

    `labels` int (n,), `subjects` (n,). Raises SettingsError where a label has fewer subjects than there are parts.

    >>> split = subject_split(np.arange(40) // 20, np.arange(40) // 4, shares=(0.6, 0.2, 0.2))
    >>> len(split.train), len(split.validation), len(split.test)
    (24, 8, 8)
    """
    if min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-6:
        raise SettingsError(f"films cannot be divided into shares of {shares}: they are 0 or more, and sum to 1.")
    parts = [part for part, value in enumerate(shares) if value > 0]
    groups = subject_groups(labels, subjects, len(parts))
    draw = numpy_generator(seed, "subject_split")
    part_of = np.empty(len(labels), np.int64)
    for members in groups:
        order = [members[i] for i in draw.permutation(len(members))]
        sizes = np.array([len(rows) for rows in order])
        target = np.array([shares[part] for part in parts]) * sizes.sum()
        filled = np.zeros(len(parts))
        for position, rows in enumerate(order):
            # the part that lacks most of its share, so that the least part gets a subject too
            lacking = (target - filled) / target
            empty = np.flatnonzero(filled == 0)
            chosen = empty[0] if len(order) - position <= len(empty) else int(lacking.argmax())
            filled[chosen] += len(rows)
            part_of[rows] = parts[chosen]
    train, held, test = (np.flatnonzero(part_of == part) for part in range(3))
    return Split(train, held, test)


def repeated_folds(
    labels: Array, subjects: Array, *, folds: int = 5, repeats: int = 1, validation: float = 0.2, seed: int = 0
) -> Iterator[Split]:
    """Each repeat divides the films anew into `folds` test parts; `validation` is the share of a fold's other films.

    Raises SettingsError where a label has fewer subjects than a fold needs: one in each test part, and where there is a
    validation part, two elsewhere.

    >>> splits = list(repeated_folds(np.arange(60) // 20, np.arange(60) // 4, folds=3, repeats=2))
    >>> len(splits), sorted(np.concatenate([split.test for split in splits[:3]])) == list(range(60))
    (6, True)
    """
    if folds < 2 or repeats < 1 or not 0 <= validation < 1:
        raise SettingsError(
            f"{repeats} repeats of {folds} folds with a validation share of {validation:g} cannot be made: there is at least "
            "one repeat of two folds, and a share is from 0 to below 1."
        )
    beside = (4 if folds == 2 else 3) if validation else 2
    groups = subject_groups(labels, subjects, max(folds, beside))
    for repeat in range(repeats):
        fold_of = np.empty(len(labels), np.int64)
        for number, members in enumerate(groups):
            draw = numpy_generator(seed, "repeated_folds", repeat, number)
            filled, people = np.zeros(folds), np.zeros(folds, np.int64)
            for i in draw.permutation(len(members)):
                # a subject of very many films does not leave all others to the other folds
                full = people >= -(-len(members) // folds)
                chosen = int(np.where(full, np.inf, filled).argmin())
                fold_of[members[i]] = chosen
                filled[chosen] += len(members[i])
                people[chosen] += 1
        for fold in range(folds):
            rest = np.flatnonzero(fold_of != fold)
            inner = subject_split(
                labels[rest],
                subjects[rest],
                shares=(1.0 - validation, validation, 0.0),
                seed=derived_seed(seed, "validation", repeat, fold),
            )
            test = np.flatnonzero(fold_of == fold)
            yield Split(rest[inner.train], rest[inner.validation], test, repeat, fold)


def subject_groups(labels: Array, subjects: Array, least: int) -> list[list[Array]]:
    """The rows of each subject, in groups of subjects with the same set of labels: each group is spread over all parts.

    Where no group of `least` subjects has a label, subjects of several labels are of the rarest one of their films.
    Raises SettingsError for less than two labels, or a label of fewer than `least` subjects.

    >>> labels, subjects = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2])  # everybody has a film of both
    >>> [rows.tolist() for rows in subject_groups(labels, subjects, 3)[0]]
    [[0, 1], [2, 3], [4, 5]]
    """
    values, counts = np.unique(labels, return_counts=True)
    if len(values) < 2 or len(labels) != len(subjects):
        raise SettingsError(
            f"{len(labels)} labels of the values {values.tolist()} of {len(subjects)} films cannot be divided: a classifier "
            "is judged on one label a film, of two labels or more."
        )
    _, member = np.unique(subjects, return_inverse=True)
    label_of = np.searchsorted(values, labels)
    order = np.argsort(member, kind="stable")
    by_set: dict[tuple[int, ...], list[Array]] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(member[order])) + 1):
        by_set.setdefault(tuple(np.unique(label_of[rows]).tolist()), []).append(np.sort(rows))
    served = {label for kinds, members in by_set.items() if len(members) >= least for label in kinds}
    if len(served) == len(values):
        return [by_set[kinds] for kinds in sorted(by_set)]
    rarity = np.argsort(np.argsort(counts, kind="stable"))
    groups: dict[int, list[Array]] = {index: [] for index in range(len(values))}
    for kinds, members in sorted(by_set.items()):
        groups[min(kinds, key=lambda label: int(rarity[label]))] += members
    for index, members in groups.items():
        if len(members) < least:
            raise SettingsError(
                f"label {values[index]} has {len(members)} subjects in {counts[index]} films, and {least} are needed: no "
                "subject is both trained on and judged, so each part needs one of its own. "
                "Use fewer folds or parts, or add subjects.",
                code="E_FEW_SUBJECTS",
            )
    return [sorted(members, key=lambda rows: int(rows[0])) for members in groups.values()]

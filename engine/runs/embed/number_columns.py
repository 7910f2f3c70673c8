"""number_columns: columns of the user's list that embeddings are probed for: numbers (age), or two values (sex)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....stores.frame import Array
from ....stores.lists.cells import MISSING_NUMBERS, number_column, read_number, value_of
from ....stores.lists.spellings import SEX_COLUMNS, plain_spelling, sex_of
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...steps.covariates import covariates
from .settings import EmbedSettings

MOST_NUMBERS = 20
"""Columns of the user's list that are evaluated, at most."""
LEAST_SHARE = 0.8
"""Share of the volumes that have a value in such a column, at least."""

LEAST_SUBJECTS = 20
"""Subjects with a number in the smallest training set, at least, for a probe; of two values, half as many of each."""


@dataclass(frozen=True, slots=True)
class NumberColumns:
    """Columns as numbers, and those that nearly are."""

    values: dict[str, Array]
    """Column -> float (n,), NaN where unknown."""
    left_out: tuple[str, ...]
    """Columns that are not evaluated, each with the reason, and cells of others that are no value of the column."""


def number_columns(job: Job[EmbedSettings]) -> NumberColumns:
    """Columns of the list with numbers or two values for at least 80 % of volumes; the case of letters does not count."""
    records = list(job.slides.values())
    values: dict[str, Array] = {}
    left_out: list[str] = []
    for name in dict.fromkeys(name for r in records for name in r.columns):
        if name in (job.settings.label, "split", "mask"):
            continue
        texts = [value_of(r.columns.get(name, "")) for r in records]
        column = _numbers(name, texts)
        if column is None:
            continue
        odd = [text for text, value in zip(texts, column, strict=True) if text and not np.isfinite(value)]
        reason = _why_not(column) or (
            f"{MOST_NUMBERS} columns before it are evaluated" if len(values) == MOST_NUMBERS else ""
        )
        if reason:
            left_out.append(f"{name} ({reason})")
        else:
            values[name] = column
            left_out += [f"cells of {name} ({first_of(list(dict.fromkeys(odd)))})"] if odd else []
    return NumberColumns(values, tuple(left_out))


def probed_columns(job: Job[EmbedSettings], trainings: Sequence[Array]) -> NumberColumns:
    """Columns that embeddings are probed for; those that `trainings` (rows of each) are too small for are left out."""
    columns, subjects = number_columns(job), covariates(job).subjects
    reasons = {name: _too_few(values, subjects, trainings) for name, values in columns.values.items()}
    return NumberColumns(
        {name: values for name, values in columns.values.items() if not reasons[name]},
        (*columns.left_out, *(f"{name} ({reason})" for name, reason in reasons.items() if reason)),
    )


def _too_few(values: Array, subjects: Array, trainings: Sequence[Array]) -> str:
    """Why the smallest training set is too small for a probe of a column; empty if it is not."""
    kinds = np.unique(values[np.isfinite(values)])
    if len(kinds) == 2:
        masks, needed, what = [values == kind for kind in kinds], LEAST_SUBJECTS // 2, "of one of the two values"
    else:
        masks, needed, what = [np.isfinite(values)], LEAST_SUBJECTS, "with a number"
    count = min(len(np.unique(subjects[rows[mask[rows]]])) for rows in trainings for mask in masks)
    return f"not tried: a training set has {count} subjects {what}, of {needed} needed" if count < needed else ""


def _numbers(name: str, texts: Sequence[str]) -> Array | None:
    """A column of numbers, or of two values as 0 and 1, NaN for other cells; None for a column of other texts."""
    if name.casefold() in SEX_COLUMNS and {"m", "f"} <= set(map(sex_of, texts)):
        return np.array([{"f": 0.0, "m": 1.0}.get(sex_of(text), np.nan) for text in texts])
    numbers = number_column(texts, name)
    known = {value for value in numbers.values if np.isfinite(value)} if numbers else set()
    if numbers is not None and len(known) > 1:
        return np.array(numbers.values)
    kinds = sorted({kind for kind in map(plain_spelling, texts) if kind and read_number(kind) not in MISSING_NUMBERS})
    if len(kinds) != 2:
        return None if numbers is None else np.array(numbers.values)
    return np.array([float(kinds.index(kind)) if (kind := plain_spelling(text)) in kinds else np.nan for text in texts])


def _why_not(column: Array) -> str:
    """Why a column is not evaluated; empty if it is."""
    finite = np.isfinite(column)
    if finite.mean() < LEAST_SHARE:
        return f"{int(finite.sum())} of {len(column)} volumes have a value that can be read"
    return "" if len(np.unique(column[finite])) > 1 else "all volumes have one value"

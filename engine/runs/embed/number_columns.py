"""number_columns: columns of the user's list that embeddings are probed for: numbers (age), or two values (sex)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....stores.frame import Array
from ....stores.lists.cells import number_column
from ...pipeline.job import Job
from .settings import EmbedSettings

MOST_NUMBERS = 20
"""Columns of the user's list that are evaluated, at most."""
LEAST_SHARE = 0.8
"""Share of the volumes that have a value in such a column, at least."""


@dataclass(frozen=True, slots=True)
class NumberColumns:
    """Columns as numbers, and those that nearly are."""

    values: dict[str, Array]
    """Column -> float (n,), NaN where unknown."""
    left_out: tuple[str, ...]
    """Columns of numbers that are not evaluated, each with the reason."""


def number_columns(job: Job[EmbedSettings]) -> NumberColumns:
    """Columns of the list with numbers or two values for at least 80 % of volumes; the case of letters does not count."""
    records = list(job.slides.values())
    values: dict[str, Array] = {}
    left_out: list[str] = []
    for name in dict.fromkeys(name for r in records for name in r.columns):
        if name in (job.settings.label, "split", "mask"):
            continue
        column, reason = _column(name, [r.columns.get(name, "").strip() for r in records])
        if not reason and len(values) == MOST_NUMBERS:
            reason = f"{MOST_NUMBERS} columns before it are evaluated"
        if column is not None and not reason:
            values[name] = column
        elif column is not None:
            left_out.append(f"{name} ({reason})")
    return NumberColumns(values, tuple(left_out))


def _column(name: str, texts: Sequence[str]) -> tuple[Array | None, str]:
    """(values, why they are not evaluated); None for a column of text."""
    kinds = sorted({text.casefold() for text in texts if text})
    if len(kinds) == 2:
        values = np.array([float(kinds.index(text.casefold())) if text else np.nan for text in texts])
    elif numbers := number_column(texts, name):
        values = np.array(numbers.values)
    else:
        return None, ""
    finite = np.isfinite(values)
    if finite.mean() < LEAST_SHARE:
        return values, f"{int(finite.sum())} of {len(texts)} volumes have a value that can be read"
    return values, "" if len(np.unique(values[finite])) > 1 else "all volumes have one value"

"""Joined values: in a cohort every value of the lists has one spelling, so that every reader sees the same classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ..lists.spellings import joined_rows

if TYPE_CHECKING:
    from .cohort import Cohort


def with_joined_values(cohort: Cohort, classes: Collection[str] = ()) -> Cohort:
    """The cohort with one spelling of every subject, site and value of other columns; what was joined is a warning.

    `classes`: columns that are joined however many values they have.
    """
    rows, texts = joined_rows([{**e.extra, "subject": e.subject, "site": e.site} for e in cohort.entries], classes)
    if not texts:
        return cohort
    entries = [
        replace(entry, subject=row.pop("subject"), site=row.pop("site"), extra=row)
        for entry, row in zip(cohort.entries, rows, strict=True)
    ]
    return replace(cohort, entries=tuple(entries), warnings=(*cohort.warnings, *texts))

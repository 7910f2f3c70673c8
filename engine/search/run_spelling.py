"""run_spelling: what a list says of new volumes, spelt as the run spells it: `p01` is the subject `P01` of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...stores.lists.headings import listed_column
from ...stores.lists.spellings import listed_spelling
from ..pipeline.listing import first_of
from ..pipeline.record import ImageRecord


def spelt_as_run(
    records: Sequence[ImageRecord], run: Sequence[ImageRecord], classes: str
) -> tuple[list[ImageRecord], list[str]]:
    """(the records with the subjects, sites and classes of a run in its spelling, what was spelt otherwise in words).

    `classes` is the column of the run's classes.
    """
    subjects = dict.fromkeys(one.subject for one in run if one.subject)
    sites = dict.fromkeys(one.site for one in run if one.site)
    words = dict.fromkeys(word for one in run if (word := one.columns.get(classes, "")))
    spelt = []
    for one in records:
        column = listed_column(classes, one.columns)
        columns = {classes if name == column else name: value for name, value in one.columns.items()}
        if classes in columns:
            columns[classes] = listed_spelling(columns[classes], words)
        subject, site = listed_spelling(one.subject, subjects), listed_spelling(one.site, sites)
        spelt.append(replace(one, subject=subject, site=site, columns=columns))
    differences = dict.fromkeys(text for pair in zip(records, spelt, strict=True) for text in _changes(*pair, classes))
    return spelt, [f"spelt as in the run: {first_of(list(differences))}"] if differences else []


def _changes(record: ImageRecord, spelt: ImageRecord, classes: str) -> Iterator[str]:
    if record.subject != spelt.subject:
        yield f"subject {record.subject!r} -> {spelt.subject!r}"
    if record.site != spelt.site:
        yield f"site {record.site!r} -> {spelt.site!r}"
    column = listed_column(classes, record.columns)
    if (value := record.columns.get(column)) != spelt.columns.get(classes):
        yield f"{classes} {value!r} -> {spelt.columns[classes]!r}"
    if record.columns.keys() != spelt.columns.keys():
        yield f"column {column!r} -> {classes!r}"

"""cohort_columns: what the user's list says of the images that their clusters may depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...stores.lists.cells import number_column
from ..pipeline.record import ImageRecord

COLUMNS = ("subject", "stain", "scanner", "site", "group")
"""Columns of the list that clusters are held against. A step that calls `cohort_columns` declares all columns."""


@dataclass(frozen=True, slots=True)
class CohortColumns:
    """Columns that have a value for at least one image."""

    values: dict[str, tuple[str, ...]]
    """Column -> one value an image, in the order of the images, "" where an image has none."""
    absent: tuple[str, ...]
    """Columns without any value."""
    subjects: tuple[str, ...]
    """The subject of each image, "" where unknown."""
    others: tuple[str, ...] = ()
    """Further columns of words of the list that divide the images into few groups, and that nothing is held against."""


def cohort_columns(records: Iterable[ImageRecord]) -> CohortColumns:
    """The columns of a run's images; spaces around a value do not make another value."""
    images = list(records)
    values = {name: tuple(str(record.column(name)).strip() for record in images) for name in COLUMNS}
    return CohortColumns(
        {name: column for name, column in values.items() if any(column)},
        tuple(name for name, column in values.items() if not any(column)),
        values["subject"],
        _dividing(images),
    )


def _dividing(images: Sequence[ImageRecord]) -> tuple[str, ...]:
    """Columns of the list beside `COLUMNS` with at least two texts, one of which several images have."""
    found = []
    for name in dict.fromkeys(name for record in images for name in record.columns):
        texts = [text for record in images if (text := record.columns.get(name, "").strip())]
        if name not in COLUMNS and 2 <= len({*texts}) < len(texts) and number_column(texts, name) is None:
            found.append(name)
    return tuple(found)

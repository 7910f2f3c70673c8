"""label_column: the column of the user's list that the setting `label` names, checked before any work."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from ...errors import SettingsError
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings

USUAL = "label"
"""The column that is taken where the user names none; a list need not have it."""


def check_label(job: Job[RunSettings], others: Collection[str] = ()) -> None:
    """Raises SettingsError for a column of classes that no image of the run has a value in.

    `others` are columns that stand beside the list, as in a set of films.
    """
    column, noun = job.settings.class_column, job.modality.name.removesuffix("s")
    rows = [row for record in job.slides.values() for row in record.rows]
    if column == USUAL or column in others or any(row.columns.get(column) for row in rows):
        return
    columns = sorted({name for row in rows for name in row.columns})
    lowered = {name.lower(): name for name in columns}
    near = next((f" Did you mean {lowered[n]}?" for n in get_close_matches(column.lower(), lowered)), "")
    what = f"no {noun} has a value in that column" if column in columns else "the list has no such column"
    raise SettingsError(f"--label {column}: {what}.{near} Columns of the list: {', '.join(columns) or 'none'}.")

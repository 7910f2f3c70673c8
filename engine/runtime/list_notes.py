"""list_notes: what a run makes of a list beyond its headings: classes that it does not use, and subjects it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ...stores.lists.headings import names_classes
from ...stores.slides.cohort import Cohort
from ..pipeline.listing import first_of
from ..pipeline.record import ALL_COLUMNS
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Pipeline
from .class_column import columns_of, has_class_column, with_class_column


def list_notes(cohort: Cohort, pipeline: Pipeline, settings: RunSettings) -> Iterator[str]:
    """What to tell of the columns of a cohort that the run does without."""
    columns = columns_of(cohort)
    column = with_class_column(settings, columns).class_column
    if column != settings.class_column:
        yield f"--label {quote(settings.class_column)}: the column {column!r} of the list is the class"
    if has_class_column(settings) and not any(entry.extra.get(column) for entry in cohort.entries):
        for name in filter(names_classes, columns):
            yield f"{name}: not used as the class of an image; --label {quote(name)} takes it as the class"
    if _depends_on_subjects(pipeline, settings) and len(cohort.entries) > 1 and not _names_subjects(cohort):
        names = f"; the columns of the list are {first_of(columns)}" if columns else ""
        yield (
            f"no subjects are known: each of these {pipeline.modality.name} counts as a subject of its own, where folds, "
            f"weights and statistics go by subject; a column `subject` of a list names them{names}"
        )


def _depends_on_subjects(pipeline: Pipeline, settings: RunSettings) -> bool:
    """Whether a step uses subjects; of films they may stand in a set, and the index of films says where there are none."""
    columns = {name for step in pipeline.steps.values() for name in step.columns(settings)}
    return pipeline.modality.name != "films" and not columns.isdisjoint({"subject", ALL_COLUMNS})


def _names_subjects(cohort: Cohort) -> bool:
    return any(entry.subject not in ("", entry.id) for entry in cohort.entries)

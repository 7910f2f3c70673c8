"""compare: the groups that are shown, held against every column of the user's list."""

from __future__ import annotations

from dataclasses import asdict

from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....steps.checkpoints import write_document
from .cases import subject_columns, subjects_of
from .documents import ASSOCIATIONS, ColumnRow, DifferenceRow, SubjectAssociations
from .settings import SubjectSettings
from .table import listed_name
from .tree import group_of_subjects, groups_document, shown_level


def compare_groups(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Write models/associations.json."""
    from .....models.evaluation.associations import associations

    outcome = Outcome()
    subjects, groups = subjects_of(job), groups_document(job)
    level = shown_level(job, groups)
    with outcome.clock("compute"):
        listed = subject_columns(job, subjects)
        values = {listed_name(name): column for name, column in listed.values.items()}
        found = associations(group_of_subjects(groups, level), values, seed=job.settings.seed)
    document = SubjectAssociations(
        level=level,
        columns=tuple(ColumnRow(**asdict(row)) for row in found.columns),
        differences=tuple(DifferenceRow(**asdict(row)) for row in found.differences),
        left_out=found.left_out,
        notes=listed.notes,
    )
    if found.left_out and level > 1:  # without groups there is nothing to compare
        outcome.notices.append(f"columns of the list are left out of the comparison: {', '.join(found.left_out)}")
    with outcome.clock("write"):
        outcome.files.append(write_document(job, ASSOCIATIONS, document))
    return outcome

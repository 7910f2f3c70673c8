"""tree: the groups of subjects and the tree that they are part of, and the level of it that is shown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from .....errors import SettingsError
from .....stores.frame import Array
from ....pipeline.documents import find_document, read_document
from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....show.palette import hexadecimal, palette
from ....steps.checkpoints import write_document
from ....steps.volumes.harmonized import check_harmonized
from ..documents import VALIDITY, Validity
from .cases import subjects_of
from .documents import GROUPS, Groups
from .settings import SubjectSettings
from .space import points_of, subject_embeddings

MIN_FINE_SUBJECTS = 5
"""A group is divided into fine groups of at least this many subjects on average."""
MIN_SUBJECTS = 6
"""Fewest subjects that a run begins with."""


def find_groups(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Divide the subjects into the chosen number of groups, and these into fine ones; number them from the top down."""
    from .....models.clustering.division import divide
    from .....models.clustering.partitions import partitions
    from .....models.clustering.tree import numbered

    outcome, seed = Outcome(), job.settings.seed
    validity, subjects = read_document(job.folder, VALIDITY, Validity), subjects_of(job)
    with outcome.clock("read"):
        embeddings = subject_embeddings(job, subjects)
    with outcome.clock("compute"):
        points, count = points_of(embeddings), min(validity.clusters, len(subjects))
        labels = partitions(points, [count], validity.method, seed)[count].labels(points)
        division = divide(points, labels, count, seed, least=MIN_FINE_SUBJECTS)
        numbers, parents = numbered(
            division.merges, np.bincount(division.labels, minlength=len(division.parents)).tolist()
        )
    document = Groups(
        subjects=subjects.names,
        fine=tuple(numbers[division.labels].tolist()),
        parents=tuple(parents.tolist()),
        recommended=validity.k,
        found=count,
        colours=tuple(map(hexadecimal, palette(len(parents)))),
    )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, GROUPS, document))
    outcome.facts["groups"] = validity.k
    return outcome


def groups_document(job: Job[SubjectSettings]) -> Groups:
    return read_document(job.folder, GROUPS, Groups)


def shown_level(job: Job[SubjectSettings], groups: Groups) -> int:
    """The level of the settings, or the recommended one: 1 where no number of groups comes back."""
    return min(job.settings.level or groups.recommended, groups.finest)


def group_of_subjects(groups: Groups, level: int) -> Array:
    """The group of each subject at a level, int64 (subjects,), from 1."""
    from .....models.clustering.tree import number_at

    return np.asarray(number_at(groups.parents, level)[np.asarray(groups.fine) - 1])


def check_subjects(job: Job[Any]) -> None:
    """Raises SettingsError (E_FEW_SUBJECTS) for a cohort of too few subjects, before any work."""
    check_harmonized(job)
    subjects = subjects_of(job)
    if len(subjects) < MIN_SUBJECTS:
        raise SettingsError(
            f"these {len(subjects.of_volume)} volumes are of {len(subjects)} subjects, and groups are looked for among at "
            f"least {MIN_SUBJECTS}: of fewer, any grouping is chance. Add subjects, or correct the column `subject`.",
            "E_FEW_SUBJECTS",
        )


def check_level(job: Job[SubjectSettings], stale: Collection[str]) -> None:
    """Raises SettingsError (E_LEVEL) for a level that the tree does not have; where it is to be found, that it cannot have."""
    level = job.settings.level
    groups = None if "groups" in stale else find_document(job.folder, GROUPS, Groups)
    if groups:
        check_level_of(groups, level)
    elif level:
        from .....models.clustering.division import most_fine_clusters

        count = len(subjects_of(job))
        most = most_fine_clusters(min(job.settings.k[1], count), count, least=MIN_FINE_SUBJECTS)
        if level > most:
            raise SettingsError(
                f"--level {level}: the tree of {count} subjects has at most {most} groups at its finest level. Choose 2 to "
                f"{most}.",
                "E_LEVEL",
            )


def check_level_of(groups: Groups, level: int) -> None:
    """Raises SettingsError (E_LEVEL) for a level that the tree does not have."""
    if level > groups.finest:
        raise SettingsError(
            f"--level {level}: there is no level of {level} groups, the tree of these {len(groups.subjects)} subjects has the "
            f"levels 1 to {groups.finest}.",
            "E_LEVEL",
        )

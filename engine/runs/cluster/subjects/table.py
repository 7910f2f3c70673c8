"""table: one row per subject: its embedding, its group at every level, and what the list says of it; and subjects.csv."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .....stores.array import written
from .....stores.tables import write_table
from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....show.spreadsheet import Cell, write_csv
from ....steps.layouts import NO_LAYOUT, add_layout
from .cases import subject_columns, subjects_of
from .settings import SubjectSettings
from .space import points_of, subject_embeddings
from .tree import check_level_of, group_of_subjects, groups_document, shown_level

OWN_COLUMNS, LEVEL = ("subject", "volumes", "group", "silhouette"), "level_"
"""Columns of the table that are ours, and the beginning of the names of the others that are: a number follows."""
LISTED = "listed_"
"""Before the name of a column of the list that has the name of one of ours."""


def write_subject_table(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Write tables/subjects.zarr and subjects.csv. Raises SettingsError (E_LEVEL) for a level that the tree does not have."""
    import anndata
    import pandas as pd

    from .....models.evaluation.projection import embed_points, fit_umap
    from .....models.evaluation.validity import point_silhouettes

    outcome = Outcome()
    subjects, groups = subjects_of(job), groups_document(job)
    check_level_of(groups, job.settings.level)
    with outcome.clock("read"):
        embeddings = subject_embeddings(job, subjects).astype(np.float32)
    level = shown_level(job, groups)
    columns: dict[str, Any] = {
        "subject": list(subjects.names),
        "volumes": subjects.volumes,
        "group": group_of_subjects(groups, level),
        "silhouette": point_silhouettes(points_of(embeddings), group_of_subjects(groups, level)).round(4),
    }
    columns |= {f"{LEVEL}{k}": group_of_subjects(groups, k) for k in range(2, groups.finest + 1)}
    listed = subject_columns(job, subjects).values
    columns |= {listed_name(name).replace("/", " per "): values for name, values in listed.items()}
    table = anndata.AnnData(X=embeddings, obs=pd.DataFrame(columns, index=list(subjects.names)))
    method = NO_LAYOUT
    with outcome.clock("compute"):
        if job.settings.umap:
            projection = fit_umap(embeddings, seed=job.settings.seed)
            method = projection.method
            add_layout(table, embed_points(embeddings, projection), method)
    table.uns["tile_engine"] = {"embedding": job.settings.embedding, "umap": method}
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / "subjects.zarr", table)
        path = job.folder.out / "subjects.csv"
        write_csv(path, _rows(columns))
        outcome.files.append(written(path))
    outcome.facts["subjects"] = len(subjects)
    return outcome


def listed_name(name: str) -> str:
    """What a column of the user's list is called beside ours, in the table and in the report.

    >>> listed_name("group"), listed_name("sex")
    ('listed_group', 'sex')
    """
    return LISTED * is_own(name) + name


def listed_names(table: Any) -> list[str]:
    """Columns of the table of subjects that are of the user's list."""
    return [name for name in table.obs if not is_own(name)]


def is_own(name: str) -> bool:
    """Whether a column of the table of subjects is ours, by its name.

    >>> is_own("level_2"), is_own("level_of_care")
    (True, False)
    """
    return name in OWN_COLUMNS or re.fullmatch(rf"{LEVEL}\d+", name) is not None


def _rows(columns: dict[str, Any]) -> list[dict[str, Cell]]:
    names = list(columns)
    return [
        {name: _cell(value) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


def _cell(value: Any) -> Cell:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return "" if np.isnan(plain) else round(plain, 6)
    return plain if isinstance(plain, int) else str(plain)

"""table: one row an image: the site that is named for it, its probabilities, where its map lies, and the list's columns."""

from __future__ import annotations

import numpy as np

from ....stores.tables import write_table
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.list_columns import columns_beside, list_texts, note_listed
from .documents import EXPLANATIONS, Explanations
from .evaluate import Probabilities
from .folds import cohort_of, fold_by_image
from .settings import FoldSettings


def write_site_table(job: Job[FoldSettings], unit: Unit, *, probabilities: Probabilities) -> Outcome:
    """Write tables/<volumes or slides>.zarr: X = probability of each site, nan where no network judges the image."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    records, cohort, folds = list(job.slides.values()), cohort_of(job), fold_by_image(job)
    with outcome.clock("read"):
        values = probabilities(job)
        maps = {one.image: one for one in read_document(job.folder, EXPLANATIONS, Explanations).maps}
    judged = np.asarray(np.isfinite(values).all(1))
    named = [cohort.names[int(np.argmax(row))] if known else "" for row, known in zip(values, judged, strict=True)]
    columns = {
        "id": [r.id for r in records],
        "name": [r.name for r in records],
        "subject": [r.subject for r in records],
        "site": [r.site for r in records],
        "named": named,
        "fold": [folds.get(r.id, "") for r in records],
        "evidence_in_mask": [_number(maps[r.id].head if r.id in maps else None) for r in records],
        "evidence_in_brain": [_number(maps[r.id].brain if r.id in maps else None) for r in records],
    }
    listed = columns_beside(columns, list_texts(records))
    table = anndata.AnnData(X=values, obs=pd.DataFrame(columns | listed, index=[r.id for r in records]))
    table.var_names = list(cohort.names)
    note_listed(table, listed)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / f"{job.modality.name}.zarr", table)
    outcome.facts[job.modality.name] = len(records)
    return outcome


def _number(value: float | int | None) -> float:
    return float("nan") if value is None else float(value)

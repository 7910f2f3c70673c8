"""table: one row a film, slide or volume: what the list says of it, its part, its scores, the properties of its grey values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.tables import write_table
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.list_columns import columns_beside, note_listed
from .medium import Medium

PART_NAMES = np.array(["", "train", "test"], object)
TEXTS = ("name", "subject", "site", "label", "modality", "reason")


def write_row_table(job: Job[Any], unit: Unit, *, medium: Medium) -> Outcome:
    """Write tables/<films, slides or volumes>.zarr: X = scores (row, score), nan where a row is not scored."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    with outcome.clock("read"):
        rows, scores = medium.rows(job), medium.scores(job)
    columns = {name: rows.texts[name] for name in TEXTS if name in rows.texts}
    columns["part"] = PART_NAMES[medium.parts(job)]
    columns |= rows.properties
    listed = columns_beside(columns, medium.listed(job, len(rows)), [job.settings.class_column])
    obs = pd.DataFrame(columns | listed, index=[str(row) for row in range(len(rows))])
    table = anndata.AnnData(X=np.stack(list(scores.values()), 1), obs=obs)
    table.var_names = list(scores)
    note_listed(table, listed)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / f"{medium.name}.zarr", table)
    outcome.facts["rows"] = len(rows)
    return outcome

"""table: one row a film: what the list says of it, its part, its scores and the properties of its grey values."""

from __future__ import annotations

import numpy as np

from ....stores.tables import write_table
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.films.index import film_index
from .score import scores_of
from .settings import AnomalySettings
from .split import parts_of

PART_NAMES = np.array(["", "train", "test"], object)


def write_film_table(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Write tables/films.zarr: X = scores (film, score), nan where a film is not scored."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    with outcome.clock("read"):
        index, scores = film_index(job.folder), scores_of(job.folder)
    columns = {name: index.texts[name] for name in ("name", "subject", "site", "label", "modality", "reason")}
    columns["part"] = PART_NAMES[parts_of(job.folder)]
    columns |= index.properties
    obs = pd.DataFrame(columns, index=[str(row) for row in range(len(index))])
    table = anndata.AnnData(X=np.stack(list(scores.values()), 1), obs=obs)
    table.var_names = list(scores)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / "films.zarr", table)
    outcome.facts["films"] = len(index)
    return outcome

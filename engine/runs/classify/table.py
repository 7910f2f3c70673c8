"""table: one row a film: what the list says of it, what is named, its probabilities, and the properties of its grey values."""

from __future__ import annotations

import numpy as np

from ....stores.tables import write_table
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.films.listed import film_texts
from ...steps.list_columns import columns_beside, note_listed
from ...steps.split_column import TEST
from .cohort import TASK, cohort_of
from .folds import folds_of, parts_of
from .losses import losses_of
from .probabilities import judgement_of
from .settings import JudgedFilmSettings


def write_film_table(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Write tables/films.zarr: X = probability of each class (film, class), nan where no network judges the film."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    with outcome.clock("read"):
        folds, parts, judgement = folds_of(job.folder), parts_of(job.folder), judgement_of(job.folder)
        cohort = cohort_of(job).numbered_as(folds.classes)
        index = cohort.index
    columns = {name: index.texts[name] for name in ("name", "subject", "site", "label", "modality", "reason")}
    columns["task"] = np.where(cohort.of_pretraining, "pretrain", "").astype(object)
    columns["named"] = np.array([*folds.classes, ""], object)[judgement.named()]
    judging = np.full(len(index), "", object)
    for name, part in parts.items():
        if not folds.networks[name].site:
            judging[(part == TEST) & (judging == "")] = name
    columns["network"] = judging
    columns["loss"] = losses_of(judgement, cohort)
    columns |= index.properties
    listed = columns_beside(columns, film_texts(job, len(index)), [job.settings.class_column, TASK])
    obs = pd.DataFrame(columns | listed, index=[str(row) for row in range(len(index))])
    table = anndata.AnnData(X=judgement.mean, obs=obs)
    table.var_names = list(folds.classes)
    note_listed(table, listed)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / "films.zarr", table)
    outcome.facts["films"] = len(index)
    return outcome

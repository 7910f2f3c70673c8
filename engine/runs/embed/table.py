"""table: the table of volumes: one row per volume, with its embedding, its columns and its projections."""

from __future__ import annotations

import numpy as np

from ....stores.tables import write_table
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.layouts import NO_LAYOUT, add_layout
from ...steps.list_columns import columns_beside, list_texts
from ...steps.volumes.encode import embeddings, errors
from .evaluate import best
from .settings import EmbedSettings

MOST_TSNE = 5_000
OWN_COLUMNS = ("id", "name", "subject", "rmse")
"""Columns of the table that are not of the list, or name a volume."""


def write_volume_table(job: Job[EmbedSettings], unit: Unit) -> Outcome:
    """Write one row per volume: its embedding, its columns in the user's list, and its projections to the plane."""
    import anndata
    import pandas as pd

    from ....models.evaluation.projection import embed_points, fit_umap, tsne

    outcome = Outcome()
    records = list(job.slides.values())
    network = best(job)
    with outcome.clock("read"):
        values, squared_errors = embeddings(job, network), errors(job, network)
    labels = [r.columns.get(job.settings.label, "") for r in records]
    columns = {
        "id": [r.id for r in records],
        "name": [r.name for r in records],
        "subject": [r.subject for r in records],
        "site": [r.site for r in records],
        "label": labels,
        "rmse": np.sqrt(squared_errors).astype(np.float32),
    }
    columns |= columns_beside(columns, list_texts(records), [job.settings.label])
    table = anndata.AnnData(X=values, obs=pd.DataFrame(columns, index=[r.id for r in records]))
    method = tsne_method = NO_LAYOUT
    with outcome.clock("compute"):
        if job.settings.umap and len(values) > 2:
            projection = fit_umap(values, seed=job.settings.seed)
            method = projection.method
            add_layout(table, embed_points(values, projection), method)
            if len(values) <= MOST_TSNE:
                plane = tsne(values, seed=job.settings.seed)
                tsne_method = plane.method
                add_layout(table, plane.xy_N2, tsne_method)
    table.uns["tile_engine"] = {"network": network, "umap": method, "tsne": tsne_method, "label": job.settings.label}
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.out / "tables" / "volumes.zarr", table)
    outcome.facts["volumes"] = len(records)
    return outcome

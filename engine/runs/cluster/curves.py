"""curves: the pictures of the training and of the number of clusters, which are the same at every level that is shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ....stores.array import written
from ...pipeline.documents import read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.figure import drawn_together
from ...show.k_curves import k_curves
from ...show.training_curves import training_curves
from ...steps.report import histories_of
from .documents import TRAINED, VALIDITY, Validity
from .layout import layout_record
from .settings import ClusterSettings


def draw_curves(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Draw the curves of training, and those over K where several were tried."""
    outcome = Outcome()
    validity = read_document(job.folder, VALIDITY, Validity)
    paths = curves_of(job, validity)
    with outcome.clock("compute"):
        works = [partial(training_curves, paths["training"], histories_of(job, TRAINED))]
        if "k" in paths:
            recommended = validity.k if validity.k > 1 else None
            scores = scores_of(job, validity)
            works.append(partial(k_curves, paths["k"], scores, comebacks=validity.rows, recommended=recommended))
        drawn_together(works)
    outcome.files += [written(path) for path in paths.values()]
    return outcome


def curves_of(job: Job[ClusterSettings], validity: Validity) -> dict[str, Path]:
    """Where the curves lie: `training`, and `k` where several Ks were tried."""
    names = ("training", "k") if len(validity.rows) > 1 else ("training",)
    return {name: job.folder.out / "maps" / f"{name}.png" for name in names}


def scores_of(job: Job[ClusterSettings], validity: Validity) -> list[dict[str, Any]]:
    """The validity table as rows {k, seed, index, value}; rows without a value are left out.

    Where a UMAP was computed, the silhouette of each level of the tree in its plane stands beside them.
    """
    rows = [(r.clusters, r.seed, r.index, r.value) for r in validity.indices]
    ks = {row.clusters for row in validity.rows}
    silhouettes = layout_record(job).silhouettes.items()
    rows += [(level, job.settings.seed, "silhouette_umap", value) for level, value in silhouettes if level in ks]
    return [
        {"k": k, "seed": seed, "index": index, "value": value} for k, seed, index, value in rows if value is not None
    ]

"""number: the number of clusters, by how well the clusters of each K come back; and the validity indices beside it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from ....stores.array import StoredArray
from ....stores.frame import Array, Box
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from .ahead import import_ahead
from .documents import VALIDITY, IndexValue, ReproducibilityRow, Validity
from .settings import ClusterSettings
from .verdict import range_notices

if TYPE_CHECKING:
    from ....models.evaluation.stability import Reproducibility

INDEX_SEEDS = 3
"""Clusterings of each K that the validity indices are computed for."""


def choose_number(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Find the number of kinds that the embeddings of the sampled patches tell apart reproducibly."""
    from ....models.clustering.components import PrincipalSpace
    from ....models.clustering.partitions import partitions
    from ....models.evaluation.stability import MIN_GROUPS, recommend, reproducibility
    from ....models.evaluation.validity import validity_table

    outcome = Outcome()
    settings = job.settings
    import_ahead(job)
    with outcome.clock("read"):
        embeddings = embeddings_of(job)
        owners = StoredArray.open(job.folder.samples / "slide").read_all()
    low, high = settings.k
    with outcome.clock("compute"):
        points = PrincipalSpace.of(embeddings).coordinates(embeddings)
        rows = reproducibility(points, range(low, high + 1), settings.seed, owners)
        choice = recommend(rows)
        ks = sorted({row.clusters for row in rows})
        few = np.sort(np.random.default_rng([settings.seed, 5]).permutation(len(points))[:2000])
        labellings = {
            (k, seed): centres.labels(points)
            for seed in range(settings.seed, settings.seed + INDEX_SEEDS)
            for k, centres in partitions(points[few], ks, choice.method, seed).items()
        }
        indices = validity_table(points, labellings, seed=settings.seed)
    k = low if low == high else choice.clusters
    document = Validity(
        k=k,
        clusters=k if k > 1 else _nearest_to_reproducible(rows),
        method=choice.method,
        passing=choice.passing,
        range=(low, high),
        drawn="slides" if len(np.unique(owners)) >= MIN_GROUPS else "patches",
        reproducibility=tuple(ReproducibilityRow(**asdict(r), passes=r.passes) for r in rows),
        indices=tuple(IndexValue(**asdict(r)) for r in indices),
    )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, VALIDITY, document))
    outcome.notices += range_notices(document)
    outcome.facts.update(k=k, passing=list(choice.passing), method=choice.method)
    return outcome


def embeddings_of(job: Job[ClusterSettings]) -> Array:
    """Embeddings (n, F) of the unchanged sampled patches."""
    array = StoredArray.open(job.folder.samples / "codes")
    _, count, features = array.spec.shape
    return np.asarray(array.read(Box((0, 0, 0), (1, count, features)))[0])


def _nearest_to_reproducible(rows: list[Reproducibility]) -> int:
    """The K of the continuous method whose clusters come back most, above chance."""
    return max((r for r in rows if r.method == "continuous"), key=lambda r: (r.excess, r.clusters)).clusters

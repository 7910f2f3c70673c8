"""number: how many groups of subjects come back when subjects are drawn again, and the validity indices beside it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from .....errors import NoInputError
from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....steps.checkpoints import write_document
from ..documents import VALIDITY, IndexValue, ReproducibilityRow, Validity
from ..verdict import range_notices
from .cases import subjects_of
from .settings import SubjectObjective, SubjectSettings
from .space import points_of, subject_embeddings

if TYPE_CHECKING:
    from .....models.clustering.partitions import Method
    from .....models.evaluation.stability import Reproducibility

MANY_SUBJECTS = 200
"""From so many subjects on, the data are drawn again as often as patches of slides are."""
INDEX_SEEDS = 3
METHODS: dict[SubjectObjective, tuple[Method, ...]] = {
    "auto": ("separate", "continuous"),
    "graph": ("separate",),
    "kmeans": ("continuous",),
    "ward": ("ward",),
}
"""Objective -> the partitions that are tried, in this order."""


def choose_number(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Find the number of groups; 1 where none comes back, which is an answer."""
    from .....models.clustering.partitions import partitions
    from .....models.evaluation.stability import DOZENS, THOUSANDS, recommend, reproducibility
    from .....models.evaluation.validity import validity_table

    outcome, settings = Outcome(), job.settings
    subjects = subjects_of(job)
    if len(subjects) < 2:
        raise NoInputError(f"{len(subjects)} subject is left, and groups are of several: see rejected.json.")
    with outcome.clock("read"):
        embeddings = subject_embeddings(job, subjects)
    low, high = settings.k
    with outcome.clock("compute"):
        points = points_of(embeddings)
        how = replace(DOZENS if len(points) < MANY_SUBJECTS else THOUSANDS, methods=METHODS[settings.objective])
        rows = reproducibility(points, range(low, high + 1), settings.seed, redraws=how)
        choice = recommend(rows)
        ks = sorted({row.clusters for row in rows})
        labellings = {
            (k, seed): centres.labels(points)
            for seed in range(settings.seed, settings.seed + INDEX_SEEDS)
            for k, centres in partitions(points, ks, choice.method, seed).items()
        }
        indices = validity_table(points, labellings, seed=settings.seed)
    k = low if low == high else choice.clusters
    document = Validity(
        k=k,
        clusters=k if k > 1 else _nearest_to_reproducible(rows, choice.method),
        method=choice.method,
        passing=choice.passing,
        range=(low, high),
        drawn="subjects",
        reproducibility=tuple(ReproducibilityRow(**asdict(r), passes=r.passes) for r in rows),
        indices=tuple(IndexValue(**asdict(r)) for r in indices),
    )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, VALIDITY, document))
    outcome.notices += range_notices(document)
    outcome.facts.update(k=k, passing=list(choice.passing), method=choice.method)
    return outcome


def _nearest_to_reproducible(rows: list[Reproducibility], method: Method) -> int:
    """The K whose groups come back most, above chance."""
    return max((r for r in rows if r.method == method), key=lambda r: (r.excess, r.clusters)).clusters

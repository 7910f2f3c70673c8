"""pictures: mean volumes of the groups, the subjects in the plane, curves over the number of groups, curves of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .....stores.frame import Array
from ....pipeline.job import Job
from ....show.group_means import group_means
from ....show.k_curves import k_curves
from ....show.training_curves import training_curves
from ....show.volume_plane import volume_plane
from ....steps.layouts import layout_in
from ....steps.report import histories_of
from ....steps.volumes.dataset import Volumes, grid_of
from ....steps.volumes.networks import NetworkRecord, model_name
from ....steps.volumes.plane_columns import plane_columns
from ....steps.volumes.planes import unsided
from ..documents import Validity
from .cases import Subjects
from .settings import SubjectSettings
from .table import listed_names

PLANES = {"umap": "UMAP of the subjects", "pca": "Principal components of the subjects"}


def draw_pictures(
    job: Job[SubjectSettings], subjects: Subjects, group: Array, table: Any, validity: Validity
) -> tuple[dict[str, Path], float, tuple[str, ...]]:
    """(name -> picture, end of the colour scale of the differences, columns of the list that are not drawn)."""
    more: tuple[str, ...] = ()
    maps = job.folder.out / "maps"
    found: dict[str, Path] = {}
    found["groups"], limit = _groups(job, subjects, group, maps / "groups.png")
    if layout := layout_in(table):
        width = len(str(group.max()))
        columns = {"group": np.array([f"group {g:{width}d}" for g in group])}
        listed, more = plane_columns(table.obs, listed_names(table))
        columns |= listed
        found["plane"] = volume_plane(maps / "plane.png", layout[0], columns, title=PLANES[layout[1]])
    if len(validity.rows) > 1:
        recommended = validity.k if validity.k > 1 else None
        scores, rows = scores_of(validity), validity.rows
        found["k"] = k_curves(maps / "k.png", scores, comebacks=rows, recommended=recommended, noun="groups")
    if job.settings.embedding == "network":
        name = model_name(job.settings.network)
        found["training"] = training_curves(maps / "training.png", histories_of(job, [(name, name, NetworkRecord)]))
    return found, limit, more


def _groups(job: Job[SubjectSettings], subjects: Subjects, group: Array, path: Path) -> tuple[Path, float]:
    from .....models.evaluation.mean_volumes import mean_volumes, planes_of_difference, symmetric_limit

    found = mean_volumes(Volumes(job), subjects.of_volume, group - 1)
    sizes = np.bincount(group - 1)
    limit = symmetric_limit(found.differences)
    picture = group_means(
        path,
        found.means,
        found.differences,
        names=[f"group {i} · {n} subjects" for i, n in enumerate(sizes, 1)]
        if len(sizes) > 1
        else [f"all {sizes[0]} subjects"],
        planes=planes_of_difference(found.differences),
        limit=limit,
        spacing=grid_of(job).spacing,
        sided=not unsided(job),
    )
    return picture, limit


def scores_of(validity: Validity) -> list[dict[str, Any]]:
    """The validity indices as rows {k, seed, index, value}; rows without a value are left out."""
    rows = ((r.clusters, r.seed, r.index, r.value) for r in validity.indices)
    return [
        {"k": k, "seed": seed, "index": index, "value": value} for k, seed, index, value in rows if value is not None
    ]

"""gallery: the patches that show what a cluster looks like."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.sample.read import read_patches
from .settings import ClusterSettings

PATCHES_SHOWN = 10
"""Patches that the gallery shows per cluster."""


def nearest_patches(
    job: Job[ClusterSettings], table: Any, cluster: Array, most: int = PATCHES_SHOWN
) -> dict[int, Array]:
    """Cluster -> patches of the tiles with embeddings nearest to the cluster's mean, uint8 (n, y, x, 3).

    `cluster`: cluster of each row of the table.
    """
    embedding = np.asarray(table.X, np.float32)
    slide = table.obs["slide"].astype(str).to_numpy()
    halo = (job.settings.patch - job.settings.step) // 2
    axes = job.modality.axes
    places = np.stack([table.obs[axis] for axis in axes], 1) - halo
    out: dict[int, Array] = {}
    for label in np.unique(cluster):
        members = np.flatnonzero(cluster == label)
        distance = np.linalg.norm(embedding[members] - embedding[members].mean(0), axis=1)
        rows = members[np.argsort(distance, kind="stable")[:most]]
        patches = np.empty((len(rows), job.settings.patch, job.settings.patch, 3), np.uint8)
        for owner in dict.fromkeys(slide[rows]):
            indices = np.flatnonzero(slide[rows] == owner)
            patches[indices] = _as_pictures(read_patches(job.image(owner), places[rows[indices]], job.settings.patch))
        out[int(label)] = patches
    return out


def _as_pictures(patches: Array) -> Array:
    """Patches (n, c, y, x) of any integer type -> uint8 (n, y, x, 3); of cubes, the middle axial plane, anterior up."""
    if patches.ndim == 5:
        patches = (patches[:, :, patches.shape[2] // 2, ::-1] >> 8).astype(np.uint8)
    if patches.dtype != np.uint8:
        patches = (patches / max(float(patches.max()), 1.0) * 255).astype(np.uint8)
    colours = patches[:, :3] if patches.shape[1] >= 3 else np.repeat(patches[:, :1], 3, 1)
    return np.ascontiguousarray(colours.transpose(0, 2, 3, 1))

"""Prepared volumes as a data set that training and evaluation read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import CorruptError
from ....stores.array import ArraySpec, StoredArray
from ....stores.frame import Array, Box
from ....stores.image import attributes_of
from ...pipeline.job import Job
from .grid import Grid

IN_MEMORY = 2_000_000_000
"""Bytes of prepared volumes that training keeps in memory, at most; a larger data set is read batch by batch."""


def grid_of(job: Job[Any]) -> Grid:
    """The grid that all volumes of the run are resampled to: fixed by `assign_rows`, whatever is rejected later."""
    try:
        stated = attributes_of(job.folder.samples)["grid"]
    except (CorruptError, KeyError):
        grid: Grid = job.settings.grid(list(job.slides.values()))
        return grid
    exact = stated.get("exact", False)  # folders of earlier versions do not state it, and nothing in them is exact
    return Grid(tuple(stated["shape"]), tuple(stated["spacing"]), stated["whole"], exact)


def assigned_rows(job: Job[Any]) -> list[str]:
    """Ids of the volumes in row order; later steps may have rejected some of them."""
    return list(attributes_of(job.folder.samples)["slides"])


def _spec(job: Job[Any], count: int) -> ArraySpec:
    shape = (1, *grid_of(job).shape)
    return ArraySpec((count, *shape), "uint16", (1, *shape), (1, *shape), ("n", "c", "z", "y", "x"))


class Volumes:
    """Prepared volumes, indexed for training: only volumes in use, held in memory where they fit IN_MEMORY."""

    def __init__(self, job: Job[Any], rows: Array | None = None) -> None:
        ids = assigned_rows(job)
        used = np.array([i for i, volume in enumerate(ids) if volume in job.slides], np.int64)
        self._array = StoredArray.open(job.folder.samples / "patches")
        self._rows = used if rows is None else used[rows]
        cell = int(np.prod(self._array.spec.shape[1:])) * 2
        self._kept = self._read(self._rows) if cell * len(self._rows) <= IN_MEMORY else None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Array) -> Array:
        if self._kept is not None:
            return np.asarray(self._kept[index])
        return self._read(self._rows[index])

    def _read(self, rows: Array) -> Array:
        shape = self._array.spec.shape[1:]
        out = np.empty((len(rows), *shape), np.uint16)
        for i, row in enumerate(rows):
            out[i] = self._array.read(Box((int(row), 0, 0, 0, 0), (int(row) + 1, *shape)))[0]
        return out

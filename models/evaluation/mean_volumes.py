"""Mean volumes: the mean of each group's volumes, and how it differs from the mean of all other subjects' volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..batches import Patches, in_order

Array = npt.NDArray[Any]
VOLUMES_PER_READ = 8


@dataclass(frozen=True, slots=True, eq=False)
class MeanVolumes:
    """Means of groups, in units of the volumes' own range: 0 to 1."""

    means: Array
    """float64 (groups, z, y, x)"""
    differences: Array
    """Mean of the group less mean of all others, the same shape; 0 where there are no others."""


def mean_volumes(volumes: Patches, subject: Array, group: Array) -> MeanVolumes:
    """Mean volumes of groups; every subject weighs the same, however many volumes there are of it.

    `volumes` are uint8 or uint16 (volume, 1, z, y, x), `subject` is int (volumes,) from 0, `group` int (subjects,) from 0.
    """
    count, shape = int(group.max()) + 1, volumes[np.zeros(1, np.int64)].shape[2:]
    total = np.zeros((count, *shape))
    weight = 1.0 / np.bincount(subject)[subject]
    for rows in in_order(len(volumes), VOLUMES_PER_READ):
        values = np.asarray(volumes[rows])[:, 0]
        top = float(np.iinfo(values.dtype).max)
        for row, volume in zip(rows, values, strict=True):
            total[group[subject[row]]] += volume * (weight[row] / top)
    sizes = np.bincount(group, minlength=count).reshape(-1, 1, 1, 1)
    means = total / np.maximum(sizes, 1)
    others = int(sizes.sum()) - sizes
    differences = np.where(others > 0, means - (total.sum(0) - total) / np.maximum(others, 1), 0.0)
    return MeanVolumes(means, differences)


def planes_of_difference(differences: Array) -> tuple[int, ...]:
    """The plane across each axis (z, y, x) that differs most, over all groups; the middle one where nothing differs."""
    size = np.abs(differences).sum(0)
    if not size.any():
        return tuple(n // 2 for n in size.shape)
    return tuple(int(size.sum(tuple(a for a in range(3) if a != axis)).argmax()) for axis in range(3))


def symmetric_limit(differences: Array, share: float = 0.995) -> float:
    """The size of difference that `share` of the cells that differ do not exceed; the end of a scale from -limit to limit."""
    size = np.abs(differences[differences != 0])
    return float(np.quantile(size, share)) if size.size else 0.0

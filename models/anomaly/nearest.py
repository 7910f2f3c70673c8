"""nearest: distance of a film's embedding to the nearest ones of the training films, for any network's embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError

Array = npt.NDArray[Any]
NEIGHBOURS = 5
CHUNK_VALUES = 4_000_000
"""Differences in memory at once."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Embeddings of the training films, each feature with mean 0 and standard deviation 1, and their own distances.

    >>> reference = Reference.of(np.random.default_rng(0).normal(size=(50, 3)))
    >>> near, far = reference.distances(np.array([[0.0, 0, 0], [9.0, 9, 9]]))
    >>> bool(far > 5 * near)
    True
    """

    points: Array
    """Embeddings (N, F) less `mean`, divided by `scale`."""
    mean: Array
    scale: Array
    """Standard deviation of each feature (F,); infinite for a feature that is constant: it says nothing."""
    own: Array
    """Distance of each training film to the others (N,)."""
    neighbours: int = NEIGHBOURS

    @classmethod
    def of(cls, embeddings_NF: Array, neighbours: int = NEIGHBOURS) -> Reference:
        """The reference of training films' embeddings (n, F). Raises SettingsError for fewer than two, or none finite."""
        embeddings_NF = np.asarray(embeddings_NF, np.float64)
        if len(embeddings_NF) < 2 or not np.isfinite(embeddings_NF).all() or neighbours < 1:
            raise SettingsError(
                f"{len(embeddings_NF)} training films, of which {int(np.isfinite(embeddings_NF).all(-1).sum())} have finite "
                f"embeddings, have no {neighbours} nearest neighbours: two or more are needed, all of them finite."
            )
        mean_F, spread_F = embeddings_NF.mean(0), embeddings_NF.std(0)
        # a feature that is constant in training says nothing: in its own units it would say everything
        scale_F = np.where(spread_F > 1e-6 * max(float(spread_F.max()), 1e-12), spread_F, np.inf)
        points_NF = (embeddings_NF - mean_F) / scale_F
        own_N = nearest_distances(points_NF, points_NF, min(neighbours, len(points_NF) - 1), skip_self=True)
        return cls(points_NF, mean_F, scale_F, own_N, neighbours)

    def distances(self, embeddings_NF: Array) -> Array:
        """Mean Euclidean distance of embeddings (n, F) to the nearest training films, (n,)."""
        points = (np.asarray(embeddings_NF, np.float64) - self.mean) / self.scale
        return nearest_distances(points, self.points, min(self.neighbours, len(self.points)))

    def standard(self, embeddings_NF: Array) -> Array:
        """The same in standard deviations above the training films' mean distance to each other, (n,)."""
        return np.asarray((self.distances(embeddings_NF) - self.own.mean()) / max(float(self.own.std()), 1e-12))

    def tensors(self) -> dict[str, Array]:
        """Arrays that rebuild this, by name."""
        return {
            **{"points": self.points, "mean": self.mean, "scale": self.scale, "own": self.own},
            "neighbours": np.array(self.neighbours),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Array]) -> Reference:
        """The reference whose `tensors()` these are."""
        return cls(
            points=tensors["points"],
            mean=tensors["mean"],
            scale=tensors["scale"],
            own=tensors["own"],
            neighbours=int(tensors["neighbours"]),
        )


def nearest_distances(points_NF: Array, others_MF: Array, count: int, *, skip_self: bool = False) -> Array:
    """Mean Euclidean distance of each point to the `count` nearest of the others, (n,) float64.

    `skip_self`: both are the same points, and a point is not its own neighbour. Differences are squared one by one: a row
    depends on its point alone.

    >>> nearest_distances(np.array([[0.0], [1.0], [5.0]]), np.array([[0.0], [1.0], [5.0]]), 1, skip_self=True).tolist()
    [1.0, 1.0, 4.0]
    """
    step = max(1, CHUNK_VALUES // max(1, others_MF.size))
    rows = []
    for start in range(0, len(points_NF), step):
        part = points_NF[start : start + step]
        squares = np.square(part[:, None] - others_MF[None]).sum(-1)
        if skip_self:
            squares[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        rows.append(np.sqrt(np.partition(squares, count - 1, axis=1)[:, :count]).mean(1))
    return np.concatenate(rows)

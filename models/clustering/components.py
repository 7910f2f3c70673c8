"""Principal components of standardised embeddings: the space in which clusters are compared.

An autoencoder of 128 numbers often varies along five directions; the others are noise, which blurs distances between clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .threads import one_thread

Array = npt.NDArray[Any]
EXPLAINED_SHARE = 0.95
"""Share of the variance that the kept components explain, ..."""
MAX_COMPONENTS = 24
"""... unless that takes more than this many."""


@dataclass(frozen=True, slots=True)
class PrincipalSpace:
    """Mean and standard deviation of each feature, and the strongest directions (features, components), all float64."""

    mean: Array
    scale: Array
    directions: Array

    @classmethod
    def of(cls, embeddings_NF: Array, share: float = EXPLAINED_SHARE, most: int = MAX_COMPONENTS) -> PrincipalSpace:
        """The strongest components of embeddings: they explain `share` of the variance, and are at most `most`.

        >>> draw = np.random.default_rng(0).normal(size=(200, 1))
        >>> PrincipalSpace.of(np.hstack([draw, 2 * draw, -draw])).directions.shape
        (3, 1)
        """
        points = np.asarray(embeddings_NF, np.float64)
        return cls._of(points, np.maximum(points.std(0), 1e-9), share, most)

    @classmethod
    def unscaled(
        cls, embeddings_NF: Array, share: float = EXPLAINED_SHARE, most: int = MAX_COMPONENTS
    ) -> PrincipalSpace:
        """The same without the standardisation of features: distances are those of the embeddings.

        Of some dozen embeddings standardised features are mostly noise.
        """
        points = np.asarray(embeddings_NF, np.float64)
        return cls._of(points, np.ones(points.shape[1]), share, most)

    @classmethod
    def _of(cls, points: Array, scale: Array, share: float, most: int) -> PrincipalSpace:
        mean = points.mean(0)
        with one_thread():  # the last digits must not depend on the number of cores
            values, vectors = np.linalg.eigh((p := (points - mean) / scale).T @ p)
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        count = int(np.searchsorted(np.cumsum(values), share * values.sum() * (1 - 1e-9))) + 1
        strongest = vectors[:, : max(1, min(count, most, vectors.shape[1]))]
        signs = np.sign(strongest[np.abs(strongest).argmax(0), np.arange(strongest.shape[1])])
        return cls(mean, scale, strongest * signs)

    def coordinates(self, embeddings_NF: Array) -> Array:
        """Coordinates (N, C) of embeddings, float64."""
        with one_thread():
            return np.asarray(((np.asarray(embeddings_NF, np.float64) - self.mean) / self.scale) @ self.directions)

    def standardised(self, coordinates_NC: Array) -> Array:
        """Standardised embeddings (N, F) of coordinates; which of them is nearest does not change."""
        return np.asarray(coordinates_NC @ self.directions.T)

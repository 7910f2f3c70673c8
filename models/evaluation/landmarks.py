"""landmarks: distances of registered landmarks by the diagonal of the reference (rTRE), as BIRL and ANHIR give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkErrors:
    """Distances of landmarks from their places, by the diagonal."""

    distances: Array
    """(n,)"""

    @property
    def figures(self) -> dict[str, float]:
        d = self.distances
        return {"median": float(np.median(d)), "mean": float(d.mean()), "max": float(d.max())}


def evaluate_landmarks(points: Array, target: Array, shape: Sequence[int]) -> LandmarkErrors:
    """Distances of points (n, 2) from their targets in a reference of `shape` (y, x) pixels."""
    return LandmarkErrors(np.linalg.norm(points - target, axis=1) / float(np.hypot(*shape)))

"""validity: names and types of validity indices for plots and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

Score = Mapping[str, str | int | float]
"""One measurement: k, seed, index (a key of INDICES), value."""


class Comeback(Protocol):
    """How well the clusters of one K come back when the data are drawn again."""

    @property
    def clusters(self) -> int: ...

    @property
    def rand(self) -> float: ...

    @property
    def chance(self) -> float: ...

    @property
    def jaccard(self) -> tuple[float, ...]: ...

    @property
    def passes(self) -> bool: ...


INDICES: dict[str, tuple[str, bool]] = {
    "dunn": ("Dunn", True),
    "dunn_trimmed": ("Dunn, trimmed", True),
    "silhouette": ("Silhouette", True),
    "silhouette_umap": ("Silhouette, UMAP", True),
    "calinski_harabasz": ("Calinski–Harabasz", True),
    "davies_bouldin": ("Davies–Bouldin", False),
    "xie_beni": ("Xie–Beni", False),
    "s_dbw": ("S_Dbw", False),
}
"""Name for people, and whether a higher value is better."""


def monotone(values: Mapping[int, float]) -> bool:
    """Whether an index only rises, or only falls, over K: then its best K is an end of the range, whatever the data.

    >>> monotone({2: 0.4, 3: 0.3, 4: 0.1}), monotone({2: 0.4, 3: 0.5, 4: 0.1})
    (True, False)
    """
    steps = np.diff([values[k] for k in sorted(values)])
    return len(steps) > 1 and bool((steps >= 0).all() or (steps <= 0).all())

"""alike: which slides are stained alike, as groups; and the slide that is a good target for normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from .profile import StainProfile, hue_distance, vector_distance

Array = npt.NDArray[Any]
DIFFERENT_VECTORS = 4.0
"""Distance of the vectors, in degrees, above which two slides' stains differ."""
DIFFERENT_HUES = 6.0
"""Distance of the hues, in degrees, above which two slides' stains differ (benchmarks/stains.py)."""


@dataclass(frozen=True, slots=True)
class StainGroups:
    """Slides grouped by how they are stained."""

    group: Array
    """int (slides,), from 0 in the order of the slides; -1 where a slide has too little stain for a profile."""
    distances: Array
    """float (slides, slides): above 1, two slides are stained differently; NaN without a profile."""

    @property
    def count(self) -> int:
        return int(self.group.max(initial=-1)) + 1


def stain_distance(first: StainProfile, second: StainProfile) -> float:
    """The smaller of both distances over their thresholds: above 1, the slides are stained differently."""
    return min(vector_distance(first, second) / DIFFERENT_VECTORS, hue_distance(first, second) / DIFFERENT_HUES)


def stain_groups(profiles: Sequence[StainProfile | None]) -> StainGroups:
    """Groups of slides whose mean distance is at most 1 (average linkage: slides between two stains do not join them)."""
    known = [i for i, profile in enumerate(profiles) if profile is not None]
    kept = [profile for profile in profiles if profile is not None]
    distances = np.full((len(profiles),) * 2, np.nan)
    distances[np.ix_(known, known)] = [[stain_distance(a, b) for b in kept] for a in kept]
    group = np.full(len(profiles), -1)
    if len(kept) > 1:
        tree = linkage(squareform(distances[np.ix_(known, known)], checks=False), method="average")
        found = fcluster(tree, 1.0, criterion="distance")
        order = {label: number for number, label in enumerate(dict.fromkeys(found.tolist()))}
        group[known] = [order[label] for label in found.tolist()]
    elif kept:
        group[known] = 0
    return StainGroups(group, distances)


def central_slide(groups: StainGroups) -> int | None:
    """The slide nearest to all of the largest group, as a target for normalisation; None where no slide has a profile."""
    if not groups.count:
        return None
    members = np.flatnonzero(groups.group == np.bincount(groups.group[groups.group >= 0]).argmax())
    return int(members[groups.distances[np.ix_(members, members)].sum(1).argmin()])

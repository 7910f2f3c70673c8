"""alike: which slides are stained alike, as groups; and the slide that is a good target for normalisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from .profile import StainProfile, hue_distance, hue_distances, vector_distance, vector_distances

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
    known = np.array([i for i, profile in enumerate(profiles) if profile is not None], int)
    kept = [profile for profile in profiles if profile is not None]
    distances = np.full((len(profiles),) * 2, np.nan)
    group = np.full(len(profiles), -1)
    pairs = np.zeros(len(kept) * (len(kept) - 1) // 2)
    end = 0
    for i, further in enumerate(_distances_to_further(kept)):
        pairs[end : end + len(further)] = further
        end += len(further)
        distances[known[i], known[i]] = 0.0
        distances[known[i], known[i + 1 :]] = distances[known[i + 1 :], known[i]] = further
    if len(kept) > 1:
        found = fcluster(linkage(pairs, method="average"), 1.0, criterion="distance")
        order = {label: number for number, label in enumerate(dict.fromkeys(found.tolist()))}
        group[known] = [order[label] for label in found.tolist()]
    elif kept:
        group[known] = 0
    return StainGroups(group, distances)


def _distances_to_further(profiles: Sequence[StainProfile]) -> Iterator[Array]:
    """`stain_distance` of each slide to those behind it, float."""
    if not profiles:
        return
    vectors, hues = (np.stack(each) for each in zip(*((p.basis.vectors, p.hues) for p in profiles), strict=True))
    for i in range(len(profiles)):
        by_vectors = vector_distances(vectors[i], vectors[i + 1 :]) / DIFFERENT_VECTORS
        yield np.minimum(by_vectors, hue_distances(hues[i], hues[i + 1 :]) / DIFFERENT_HUES)


def central_slide(groups: StainGroups) -> int | None:
    """The slide nearest to all of the largest group, as a target for normalisation; None where no slide has a profile."""
    if not groups.count:
        return None
    members = np.flatnonzero(groups.group == np.bincount(groups.group[groups.group >= 0]).argmax())
    return int(members[np.argmin([groups.distances[member, members].sum() for member in members])])

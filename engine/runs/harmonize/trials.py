"""trials: every scan is read once and every method is tried on it; what later figures need of it is kept, not the volumes.

```text
scan of the target   -> features, thumbnail, block, contrast
scan of a source     -> by method: features, thumbnail, block, contrast, tissue that stays in place
  the subject's scan at the target, laid onto it -> by method: SSIM and PSNR inside head and brain
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ....errors import SlideError
from ....models.evaluation.image_quality import data_range, psnr, ssim
from ....models.evaluation.network_learner import central_block
from ....models.evaluation.texture import intensity_features, structure_features
from ....models.evaluation.thumbnail import thumbnail
from ....models.evaluation.tissue_contrast import class_overlap, contrast, tissue_classes
from ....stores.frame import Array
from ...steps.volumes.align import LaidVolume
from ...steps.volumes.pairs import laid_onto, lies_on
from .effort import Effort
from .scans import Comparable, Head, Version

BEFORE = "before"
"""The scans as they are, which every method is compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What is kept of one scan as one method leaves it."""

    intensities: Array
    texture: Array
    thumbnail: Array
    """float16, flat."""
    block: Array | None
    """float16 cube; None where no network looks at it."""
    contrast: float
    overlap: float
    """Of tissue classes with those before."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What is kept of all scans."""

    limit: float
    """The data range."""
    sights: dict[tuple[str, int], Sight] = field(default_factory=dict)
    """(method, row) of the source's scans, and (BEFORE, row) of all."""
    pairs: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    """(method, name of a figure) -> row -> figure, of scored scans of subjects that were scanned at the target."""
    truth_overlap: dict[int, float] = field(default_factory=dict)
    """Row -> overlap of the tissue classes of the subject's two scans."""
    inside: set[str] = field(default_factory=set)
    """What tissue classes were made in."""
    left_out: list[str] = field(default_factory=list)


def measure(cohort: Comparable, versions: Mapping[str, Version], effort: Effort) -> Measured:
    """Try every version on every source scan; one scan and one version of it are in memory at a time.

    A pair that cannot be registered is left out and named.
    """
    fitting = cohort.fitting()
    limit = data_range(cohort.reading(row for row in fitting if cohort.sites[row] == 0))
    measured = Measured(limit)
    for row in cohort.targets:
        head = cohort.scans[row].read()
        measured.sights[BEFORE, int(row)] = _sight(head, head.values, None, block=effort.network_steps > 0)
        measured.inside.add(_tissue(head)[1])
    for row in map(int, cohort.sources):
        head = cohort.scans[row].read()
        classes = tissue_classes(head.values, _tissue(head)[0])
        measured.inside.add(_tissue(head)[1])
        truth = _truth(cohort, row, head, measured) if cohort.scored[row] else None
        if truth is not None:
            measured.truth_overlap[row] = class_overlap(classes, tissue_classes(truth.values, _tissue(truth)[0]))
        measured.sights[BEFORE, row] = _sight(head, head.values, classes, block=False)
        for name, version in versions.items():
            values = version(row, head)
            if values.shape != head.values.shape:
                raise ValueError(f"{name} made {values.shape} of {cohort.scans[row].id}, which is {head.values.shape}")
            measured.sights[name, row] = _sight(head, values, classes, block=effort.looked_at(name))
            for figure, number in _pair_figures(values, truth, limit) if truth is not None else ():
                measured.pairs.setdefault((name, figure), {})[row] = number
    return measured


def _tissue(head: Head) -> tuple[Array, str]:
    return (head.mask, "head") if head.brain is None else (head.brain, "brain")


def _sight(head: Head, values: Array, before: Array | None, *, block: bool) -> Sight:
    classes = tissue_classes(values, _tissue(head)[0])
    return Sight(
        intensities=intensity_features(values, head.mask),
        texture=structure_features(values, head.mask),
        thumbnail=thumbnail(values, head.mask).ravel().astype(np.float16),
        block=central_block(values, head.mask) if block else None,
        contrast=contrast(values, classes),
        overlap=float("nan") if before is None else class_overlap(before, classes),
    )


def _truth(cohort: Comparable, row: int, head: Head, measured: Measured) -> Head | None:
    """The subject's first scan at the target on the grid of this one, with the parts that both masks hold; None without one."""
    scan = cohort.scans[row]
    others = [i for i in cohort.targets if cohort.subjects[i] == cohort.subjects[row]]
    if not others:
        return None
    other = cohort.scans[others[0]]
    seen = other.read()
    fixed = LaidVolume(head.values, scan.frame, scan.placement)
    moving = LaidVolume(seen.values, other.frame, other.placement)
    if len(scan.frame.shape) < 3 and not lies_on(fixed, moving):
        measured.left_out.append(f"the pair of {scan.id} and {other.id}: images of two axes are not registered")
        return None
    try:
        values, mask = laid_onto(fixed, moving, seen.mask, name=scan.id)
    except SlideError as error:
        measured.left_out.append(f"the pair of {scan.id} and {other.id}: {error}")
        return None
    both = mask & head.mask
    if not both.any():
        measured.left_out.append(f"the pair of {scan.id} and {other.id}: their heads do not overlap")
        return None
    return Head(values, both, None if head.brain is None or not (head.brain & both).any() else head.brain & both)


def _pair_figures(values: Array, truth: Head, limit: float) -> list[tuple[str, float]]:
    parts = {"head": truth.mask} | ({"brain": truth.brain} if truth.brain is not None else {})
    return [
        (f"{name} {part}", function(values, truth.values, mask, data_range=limit))
        for part, mask in parts.items()
        for name, function in (("SSIM", ssim), ("PSNR", psnr))
    ]


def stacked(measured: Measured, method: str, rows: Array, what: str) -> Array:
    """A field of the sights of these rows as one array; the target's scans are as they are with every method."""
    sights = [measured.sights.get((method, int(row))) or measured.sights[BEFORE, int(row)] for row in rows]
    return np.stack([getattr(sight, what) for sight in sights])

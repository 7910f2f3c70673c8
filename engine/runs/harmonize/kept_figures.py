"""kept_figures: what should stay as it is, or arrive at the target's: distances between people, and the contrast of tissue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....models.evaluation.subject_distances import rank_correlation
from ....stores.frame import Array
from .judgement import TargetFigures
from .scans import Comparable
from .trials import BEFORE, Measured, stacked

Embed = Callable[[Array], Array]
"""Thumbnails (n, cells) -> embeddings (n, F)."""


def ranks(cohort: Comparable, measured: Measured, name: str, embed: Embed) -> tuple[float, float]:
    """Rank correlations of distances with those before, of thumbnails and of embeddings: mean over the source sites."""
    found = []
    for site in range(1, len(cohort.names)):
        rows = _one_a_subject(cohort, np.flatnonzero(cohort.scored & (cohort.sites == site)))
        if len(rows):
            before, after = (stacked(measured, method, rows, "thumbnail") for method in (BEFORE, name))
            found.append((rank_correlation(before, after), rank_correlation(embed(before), embed(after))))
    return mean([values for values, _ in found]), mean([embeddings for _, embeddings in found])


def at_target(cohort: Comparable, measured: Measured, embed: Embed) -> TargetFigures:
    """The target's own contrast, and of subjects scanned at both sites what their true scans would have as a method."""
    scored = np.flatnonzero(cohort.scored & (cohort.sites == 0))
    first_of = {str(cohort.subjects[row]): int(row) for row in reversed(scored)}
    pairs = [
        (int(row), first_of[str(cohort.subjects[row])])
        for row in _one_a_subject(cohort, np.flatnonzero(cohort.scored & (cohort.sites != 0)))
        if str(cohort.subjects[row]) in first_of
    ]
    kept = [float("nan")] * 2
    if pairs:
        source, truth = (stacked(measured, BEFORE, np.array(rows), "thumbnail") for rows in zip(*pairs, strict=True))
        kept = [rank_correlation(source, truth), rank_correlation(embed(source), embed(truth))]
    return TargetFigures(
        contrast=mean([measured.sights[BEFORE, int(row)].contrast for row in scored]),
        rank_values=kept[0],
        rank_embeddings=kept[1],
        class_overlap=mean(list(measured.truth_overlap.values())),
    )


def _one_a_subject(cohort: Comparable, rows: Array) -> Array:
    """The first of these rows of each subject."""
    _, first = np.unique(cohort.subjects[rows], return_index=True)
    return rows[np.sort(first)]


def mean(values: list[float]) -> float:
    """Mean of the finite values; nan without any."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")

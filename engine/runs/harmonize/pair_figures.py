"""pair_figures: figures on people who were scanned at both sites, by subject, and the tests between methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from ....models.evaluation.paired import compare_pairs
from ....stores.frame import Array
from .judgement import Comparison, MethodFigures, Spread
from .scans import Comparable


def spread(found: Mapping[int, float], cohort: Comparable) -> Spread:
    """A figure by row as a figure by subject: the mean over the scans of each."""
    by_subject: dict[str, list[float]] = {}
    for row, number in found.items():
        by_subject.setdefault(str(cohort.subjects[row]), []).append(number)
    subjects = {subject: float(np.mean(numbers)) for subject, numbers in by_subject.items()}
    sample = np.array(list(subjects.values()))
    return Spread(mean=sample.mean(), sd=sample.std(ddof=1) if len(sample) > 1 else None, subjects=subjects)


def comparisons(methods: Mapping[str, MethodFigures], ours: str) -> dict[str, tuple[Comparison, ...]]:
    """Figure on pairs -> ours against every other method, over the subjects of both."""
    found = {}
    for figure, spread in methods[ours].pairs.items():
        subjects = list(spread.subjects)

        def of(name: str, figure: str = figure, subjects: list[str] = subjects) -> Array:
            return np.array([methods[name].pairs[figure].subjects[subject] for subject in subjects], np.float64)

        others = compare_pairs(of(ours), {name: of(name) for name in methods if name != ours})
        found[figure] = tuple(Comparison(**asdict(pairing)) for pairing in others.values())
    return found

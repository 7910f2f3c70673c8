"""site_matrix: what classifiers trained at one site reach at every site, their own included.

```text
              test: A   B   C
train: A            d   x   x      d: each fold's classifier, on the fold's own test films
       B            x   d   x      x: the same classifiers, on all films of the other site
       C            x   x   d      a cell is the mean over the folds' classifiers
```
Each fold's classifier is trained once and judged everywhere, so a row needs no more trainings than its diagonal. A subject who
was at both sites is left out of the other site's test films.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .classification_figures import Estimate, estimates
from .ranking import auroc
from .subject_splits import Split, repeated_folds

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class SiteTraining:
    """One classifier to train at a site, and where it is judged."""

    site: str
    split: Split
    """Rows of the whole list, all of the site."""
    tests: Mapping[str, Array]
    """Test site -> rows; of the own site, the fold's."""


@dataclass(frozen=True, slots=True)
class SiteCell:
    """A cell of the matrix."""

    train_site: str
    test_site: str
    auroc: Estimate
    """Mean over the classifiers, and its interval over subjects of the test site."""
    films: int
    """Different test films."""
    classifiers: int


def site_trainings(
    sites: Sequence[str], labels: Array, subjects: Array, *, folds: int = 5, validation: float = 0.2, seed: int = 0
) -> Iterator[SiteTraining]:
    """The trainings of all sites, site after site. Raises SettingsError for a site whose labels have too few subjects."""
    names = np.asarray(sites)
    for site in np.unique(names):
        own = np.flatnonzero(names == site)
        for inner in repeated_folds(labels[own], subjects[own], folds=folds, validation=validation, seed=seed):
            split = Split(own[inner.train], own[inner.validation], own[inner.test], inner.repeat, inner.fold)
            trained = np.concatenate([subjects[split.train], subjects[split.validation]])
            tests = {
                str(other): split.test
                if other == site
                else np.flatnonzero((names == other) & ~np.isin(subjects, trained))
                for other in np.unique(names)
            }
            yield SiteTraining(str(site), split, tests)


def site_matrix(
    trainings: Sequence[SiteTraining],
    scores: Sequence[Mapping[str, Array]],
    labels: Array,
    subjects: Array,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> list[SiteCell]:
    """The cells, row after row. `scores`: of each training, test site -> score of label 1 of each of its test rows."""
    sites = sorted({training.site for training in trainings})
    cells = []
    for train_site in sites:
        own = [(t, s) for t, s in zip(trainings, scores, strict=True) if t.site == train_site]
        for test_site in sites:
            parts = [(t.tests[test_site], np.asarray(s[test_site], np.float64)) for t, s in own]
            # one table of all tests, so that a draw takes a subject with all tests of all classifiers
            rows = np.concatenate([part for part, _ in parts])
            values = np.concatenate([value for _, value in parts])
            number = np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts])
            estimate = _mean_area(number, labels[rows], values, subjects[rows], draws, seed)
            cells.append(SiteCell(train_site, test_site, estimate, len(np.unique(rows)), len(parts)))
    return cells


def _mean_area(number: Array, labels: Array, values: Array, subjects: Array, draws: int, seed: int) -> Estimate:
    def mean(chosen: Array) -> dict[str, float]:
        groups = [chosen[number[chosen] == n] for n in np.unique(number[chosen])]
        areas = np.array([auroc(labels[rows], values[rows]) for rows in groups])
        defined = areas[np.isfinite(areas)]
        return {"auroc": float(defined.mean()) if len(defined) else float("nan")}

    if not len(number):
        return Estimate(float("nan"), float("nan"), float("nan"))
    return estimates(mean, subjects, draws=draws, seed=seed)["auroc"]

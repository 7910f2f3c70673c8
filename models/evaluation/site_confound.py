"""site_confound: how much of a classifier's area under the ROC curve the site of a film alone gives.

Where one hospital sends most of the ill, a network that knows the hospital seems to know the disease: sorting films by hospital
alone gave an area of 0.861 in Zech et al., PLoS Med 15:e1002683 (2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .ranking import auroc, auroc_within
from .subject_splits import Split

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class SiteConfound:
    """What the site says about the label, beside what the classifier says."""

    site_alone: float
    """Area of the score "share of label 1 among the site's training films": 0.5 where sites say nothing."""
    classifier: float
    """Area of the classifier's scores over all pairs of cases."""
    within_sites: float
    """Area of the classifier's scores over pairs of the same site alone; nan where each site has one label."""
    pairs_within: float
    """Share of the pairs of cases of different labels that are of the same site."""


def site_shares(sites: Array, labels: Array, train: Array, test: Array) -> Array:
    """Share of label 1 among the training films of each test film's site, float (test,).

    A site without training films has the share of all of them.

    >>> site_shares(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0]), np.arange(4), np.array([0, 2, 4])).tolist()
    [0.5, 1.0, 0.75]
    """
    values, member = np.unique(sites, return_inverse=True)
    films = np.bincount(member[train], minlength=len(values))
    ill = np.bincount(member[train], labels[train] == 1, minlength=len(values))
    shares = np.where(films > 0, ill / np.maximum(films, 1), (labels[train] == 1).mean())
    return np.asarray(shares[member[test]])


def site_area(sites: Array, labels: Array, splits: Iterable[Split]) -> float:
    """Area that the site alone gives: the mean over splits; each split's test films are sorted by their sites' shares.

    Splits are never pooled: a fold with more ill films leaves fewer to train on, so pooled shares would turn round. Splits
    whose test films have one label are left out; nan without any.
    """
    areas = [auroc(labels[s.test], site_shares(sites, labels, s.train, s.test)) for s in splits]
    defined = [value for value in areas if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def site_confound(sites: Array, labels: Array, scores: Array, splits: Iterable[Split]) -> SiteConfound:
    """Compare `scores` (n,) of films with what their sites alone say; `labels` 0 or 1 (n,), `sites` (n,).

    `scores` are those that each film had as a test film; rows that are nan, as no split tested them, are left out.
    """
    judged = np.isfinite(scores)
    within, pairs = auroc_within(labels[judged], scores[judged], sites[judged])
    return SiteConfound(site_area(sites, labels, splits), auroc(labels[judged], scores[judged]), within, pairs)

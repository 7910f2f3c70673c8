"""site_classifier: how well a fresh classifier tells the sites of scans apart, by subjects that it did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from ..training.discriminant import linear_discriminant
from .probes import grouped_folds
from .wilson import wilson

Array = npt.NDArray[Any]
Learner = Callable[[Array, Array], Array]
"""(training rows, test rows) -> class of each test row, int."""


@dataclass(frozen=True, slots=True)
class SiteAccuracy:
    """Accuracy of predictions of the site, on scans of subjects that the classifier was not trained on."""

    accuracy: float
    low: float
    """Lower end of Wilson's 95 % interval; scans of one subject count as independent."""
    high: float
    balanced: float
    """Mean over sites of the accuracy on the site's scans."""
    chance: float
    """Share of the largest site: what a classifier reaches that looks at nothing."""
    scans: int


def site_folds(
    sites: Array, subjects: Array, scored: Array, *, folds: int = 5, seed: int = 0
) -> Iterator[tuple[Array, Array]]:
    """(training rows, test rows) of each fold: test rows are scored scans, each in one fold; no subject is on both sides.

    `sites` int (n,), `subjects` (n,), `scored` bool (n,). Training rows are all scans of other subjects, scored or not: the
    more a classifier has seen, the harder it is to deceive. A fold that would train on one site alone is left out.
    """
    rows = np.flatnonzero(scored)
    if len(np.unique(subjects[rows])) < 2:
        return
    for _, test in grouped_folds(sites[rows], subjects[rows], folds, seed):
        train = np.flatnonzero(~np.isin(subjects, subjects[rows[test]]))
        if len(np.unique(sites[train])) > 1:
            yield train, rows[test]


def predict_sites(
    learner: Learner, sites: Array, subjects: Array, scored: Array, *, folds: int = 5, seed: int = 0
) -> Array:
    """The site that `learner` predicts for each scored scan in the folds of `site_folds`, int (n,); -1 for other scans."""
    predicted = np.full(len(sites), -1)
    for train, test in site_folds(sites, subjects, scored, folds=folds, seed=seed):
        predicted[test] = learner(train, test)
    return predicted


def logistic_learner(features: Array, sites: Array) -> Learner:
    """Logistic regression on standardised features (n, F); every site has the same weight."""

    def learn(train: Array, test: Array) -> Array:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        return np.asarray(model.fit(features[train], sites[train]).predict(features[test]))

    return learn


def discriminant_learner(features: Array, sites: Array) -> Learner:
    """Linear discriminant with a shrunk covariance: it weighs down what differs between people within sites."""

    def learn(train: Array, test: Array) -> Array:
        weights, bias = linear_discriminant(features[train], sites[train], int(sites.max()) + 1)
        return np.asarray((features[test] @ weights.T + bias).argmax(1))

    return learn


def ridge_learner(features: Array) -> Callable[[Array], Learner]:
    """(classes) -> ridge classification on standardised features (n, F): some milliseconds a fit, for many repetitions."""

    def of(classes: Array) -> Learner:
        def learn(train: Array, test: Array) -> Array:
            from sklearn.linear_model import RidgeClassifier
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler

            model = make_pipeline(StandardScaler(), RidgeClassifier(float(features.shape[1]), class_weight="balanced"))
            return np.asarray(model.fit(features[train], classes[train]).predict(features[test]))

        return learn

    return of


def header_learner(header: Array, sites: Array) -> Learner:
    """A decision tree on numbers of the header (n, F), such as matrix and voxel size."""

    def learn(train: Array, test: Array) -> Array:
        from sklearn.tree import DecisionTreeClassifier

        return np.asarray(DecisionTreeClassifier(random_state=0).fit(header[train], sites[train]).predict(header[test]))

    return learn


def accuracy_of(predicted: Array, sites: Array) -> SiteAccuracy:
    """Figures of predictions (n,); those of -1 are left out. All are nan where nothing was predicted.

    >>> figures = accuracy_of(np.array([0, 1, 1, -1]), np.array([0, 1, 0, 1]))
    >>> round(figures.accuracy, 3), figures.balanced, figures.scans
    (0.667, 0.75, 3)
    """
    used = predicted >= 0
    right, truth = (predicted == sites)[used], sites[used]
    if not len(truth):
        return SiteAccuracy(nan, nan, nan, nan, nan, scans=0)
    _, counts = np.unique(truth, return_counts=True)
    low, high = wilson(int(right.sum()), len(right))
    balanced = float(np.mean([right[truth == site].mean() for site in np.unique(truth)]))
    return SiteAccuracy(float(right.mean()), low, high, balanced, float(counts.max() / len(truth)), len(truth))

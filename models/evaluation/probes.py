"""Linear probes: predictions of a linear model from embeddings, cross-validated in folds that keep a subject together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from .classification_figures import Estimate, estimates
from .ranking import auroc_within

Array = npt.NDArray[Any]
Fold = tuple[Array, Array]
CROSS_FITTED = 2**0.5
"""Deviation of an area or a correlation over folds, over that of as many given scores, where embeddings know nothing: of two
cases in different folds each helps to predict the other one, so that every pair of them counts twice."""


def grouped_folds(classes: Array, subjects: Array, count: int = 5, seed: int = 0) -> list[Fold]:
    """(training rows, test rows) of each fold: each subject is in one test set; classes are balanced as far as possible.

    Rows of unknown class (-1) are spread as a class of their own, and so is a class that is too rare to be in each fold. Where
    all are, folds are drawn without looking at classes. There are never more folds than subjects.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count, rows = min(count, len(np.unique(subjects))), np.zeros((len(classes), 1))
    if np.unique(classes, return_counts=True)[1].max() >= count:
        drawing = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            folds = list(drawing.split(rows, classes, subjects))
        if all(
            len(test) for _, test in folds
        ):  # of few subjects with a rare class, scikit-learn may leave a fold empty
            return folds
    return list(GroupKFold(count, shuffle=True, random_state=seed).split(rows, classes, subjects))


def ridge(embeddings: Array, values: Array, folds: list[Fold]) -> Array:
    """Ridge regression: the value (age, dose) of each case, predicted by the fold that was not fitted on it, float (n,).

    The penalty is chosen within the training cases.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.full(len(values), np.nan)
    for train, test in folds:
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
        predicted[test] = model.fit(embeddings[train], values[train]).predict(embeddings[test])
    return predicted


def logistic(embeddings: Array, classes: Array, folds: list[Fold]) -> Array:
    """Logistic regression: the probability of class 1 of each case, predicted by the fold that was not fitted on it.

    Both classes have the same weight.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.full(len(classes), np.nan)
    for train, test in folds:
        # a strong penalty, because embeddings are often longer than the cohort
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
        predicted[test] = model.fit(embeddings[train], classes[train]).predict_proba(embeddings[test])[:, 1]
    return predicted


def probe_figures(
    values: Array, predicted: Array, folds: Array, subjects: Array, *, draws: int = 1000
) -> dict[str, Estimate]:
    """`auc` of two values, else `mae` and `r`, of values (n,) and their predictions (n,), with 95 % intervals over subjects.

    `folds` (n,): the fold that predicted each case. `auc` and `r` compare cases of the same fold alone, as each fold's
    predictions lean to the mean of its own training cases: where a fold has more of one value, the others learn less of it,
    and folds taken together seem to turn it round. nan where a figure is undefined.
    """
    values = np.asarray(values, np.float64)
    widened = CROSS_FITTED if len(np.unique(folds)) > 1 else 1.0  # one training, on other cases, sees no pair twice
    if len(np.unique(values)) <= 2:
        larger = (values == values.max(initial=-np.inf)).astype(int)

        def area(rows: Array) -> dict[str, float]:
            return {"auc": auroc_within(larger[rows], predicted[rows], folds[rows])[0]}

        return {"auc": _widened(estimates(area, subjects, draws=draws)["auc"], widened, least=0.0)}

    def both(rows: Array) -> dict[str, float]:
        x, y = (_centred(column[rows], folds[rows]) for column in (values, predicted))
        scale = float(np.sqrt(np.square(x).sum() * np.square(y).sum()))
        return {"mae": float(error[rows].mean()), "r": float((x * y).sum()) / scale if scale else float("nan")}

    error = np.abs(values - predicted)
    found = estimates(both, subjects, draws=draws)
    return {"mae": found["mae"], "r": _widened(found["r"], widened, least=-1.0)}


def _centred(values: Array, folds: Array) -> Array:
    """Values less the mean of their fold."""
    fold = np.unique(folds, return_inverse=True)[1]
    return np.asarray(values - (np.bincount(fold, values) / np.bincount(fold))[fold])


def _widened(found: Estimate, factor: float, *, least: float) -> Estimate:
    """Both ends `factor` times as far from the figure, within its range, which ends at 1."""
    ends = (float(np.clip(found.value + factor * (end - found.value), least, 1.0)) for end in (found.low, found.high))
    return Estimate(found.value, *ends)

"""Linear probes: predictions of a linear model from embeddings, cross-validated in folds that keep a subject together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Fold = tuple[Array, Array]


def grouped_folds(classes: Array, subjects: Array, count: int = 5, seed: int = 0) -> list[Fold]:
    """(training rows, test rows) of each fold: each subject is in one test set; classes are balanced as far as possible.

    Rows of unknown class (-1) are spread as a class of their own. There are never more folds than subjects.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(count, len(np.unique(subjects)))
    rare = np.unique(classes, return_counts=True)[1].min() < count
    # a class with fewer cases than folds cannot be in each of them: scikit-learn would warn
    folds = GroupKFold(count, shuffle=True, random_state=seed) if rare else None
    folds = folds or StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros((len(classes), 1)), classes, subjects))


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


def regression_figures(values: Array, predicted: Array) -> dict[str, float]:
    """`r2`, `r` (Pearson) and `mae` (mean absolute error) of predictions; nan where a figure is undefined."""
    error = float(np.square(values - predicted).sum())
    centred = float(np.square(values - values.mean()).sum())
    return {
        "r2": 1.0 - error / centred if centred else float("nan"),
        "r": float(np.corrcoef(values, predicted)[0, 1]) if centred and predicted.std() else float("nan"),
        "mae": float(np.abs(values - predicted).mean()),
    }

"""Linear probes: predictions of a linear model from embeddings, cross-validated in folds that keep a subject together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..seeds import numpy_generator

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


def area(classes: Array, scores: Array) -> float:
    """Area under the ROC curve of scores for class 1; NaN where there is one class only."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(classes, scores)) if len(np.unique(classes)) == 2 else float("nan")


def bootstrap(
    figure: Callable[[Array], float], subjects: Array, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % confidence interval of `figure(rows)`: subjects are drawn with replacement, each with all its cases.

    Draws for which the figure is undefined (one class only) are skipped.

    >>> values = np.arange(100.0)
    >>> low, high = bootstrap(lambda rows: values[rows].mean(), np.arange(100))
    >>> 43 < low < 46 and 53 < high < 56
    True
    """
    source = numpy_generator(seed, "bootstrap")
    _, member = np.unique(subjects, return_inverse=True)
    rows_of = [np.flatnonzero(member == subject) for subject in range(member.max() + 1)]
    figures = []
    for _ in range(draws):
        drawn = source.integers(0, len(rows_of), len(rows_of))
        figures.append(figure(np.concatenate([rows_of[subject] for subject in drawn])))
    low, high = np.nanpercentile(figures, (2.5, 97.5))
    return float(low), float(high)

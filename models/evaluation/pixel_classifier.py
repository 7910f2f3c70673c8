"""pixel_classifier: a logistic regression on the pixels of small images: what a network has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
PENALTY = 1e-3
"""Inverse strength of the penalty: pixels are many, and neighbours are alike."""


def pixel_classifier(pixels: Array, labels: Array) -> Callable[[Array], Array]:
    """Fit `pixels` (n, P), standardised image by image, to `labels` int (n,) from 0; every label has the same weight.

    The result takes pixels (m, P) to probabilities (m, K).

    >>> classify = pixel_classifier(np.array([[-1.0], [1.0]] * 4), np.array([0, 1] * 4))
    >>> classify(np.array([[-1.0], [1.0]])).argmax(1).tolist()
    [0, 1]
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=500).fit(pixels, labels)
    return lambda others: np.asarray(model.predict_proba(others))

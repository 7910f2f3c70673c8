"""discriminant: linear discriminant analysis with a shrunk covariance: a closed form, for more features than rows.

What differs within classes, such as people, is weighed down by its covariance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
TINY, NEVER = 1e-6, -1e6
"""Least variance of a feature, and the logit of a class without rows."""


def linear_discriminant(features_NF: Array, labels: Array, classes: int) -> tuple[Array, Array]:
    """(weights (K, F), bias (K,)) of the logits of each class; classes are equally likely, and one without rows never is.

    >>> weights_KF, bias_K = linear_discriminant(np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 0, 1, 1]), 2)
    >>> (np.array([[1.9], [2.1]]) @ weights_KF.T + bias_K).argmax(1).tolist()
    [0, 1]
    """
    features_NF, labels = np.asarray(features_NF, np.float64), np.asarray(labels, np.int64)
    centre_F, scale_F = features_NF.mean(0), features_NF.std(0) + TINY
    rows_NF, found = (features_NF - centre_F) / scale_F, set(labels.tolist())
    means_KF = np.stack(
        [rows_NF[labels == k].mean(0) if k in found else np.zeros(len(scale_F)) for k in range(classes)]
    )
    covariance_FF = shrunk_covariance(rows_NF - means_KF[labels]) + TINY * np.eye(len(scale_F))
    weights_KF = np.linalg.solve(covariance_FF, means_KF.T).T
    bias_K = -0.5 * (weights_KF * means_KF).sum(1)
    bias_K[[k for k in range(classes) if k not in found]] = NEVER
    weights_KF = weights_KF / scale_F
    return weights_KF, bias_K - weights_KF @ centre_F


def shrunk_covariance(rows_NF: Array) -> Array:
    """Covariance (F, F) of centred rows, shrunk to a multiple of the identity (Ledoit and Wolf 2004, J. Multivariate Analysis
    88:365)."""
    count, size = rows_NF.shape
    covariance_FF = rows_NF.T @ rows_NF / count
    level = float(np.trace(covariance_FF)) / size
    distance = float(np.square(covariance_FF).sum()) - size * level**2
    spread = (float(np.square(np.square(rows_NF).sum(1)).sum()) / count - float(np.square(covariance_FF).sum())) / count
    share = min(1.0, spread / distance) if distance > 0 else 1.0
    return np.asarray((1 - share) * covariance_FF + share * level * np.eye(size))

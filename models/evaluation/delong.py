"""delong: two areas under the ROC curve on the same cases, compared by their covariance.

```text
area        share of pairs (case of label 1, case of label 0) in the right order; ties count half
V10[i]      the share of label-0 cases below case i of label 1       V01[j]   the share of label-1 cases above case j of label 0
covariance  cov(V10 of both scores) / m + cov(V01 of both scores) / n
```
DeLong et al., Biometrics 44:837 (1988). Cases count as independent: of a subject with several films, all count. Intervals by
subjects (`estimates`) do not assume that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import rankdata

from ...errors import SettingsError
from .operating_point import check_binary
from .wilson import Z_95

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """The areas under the ROC curves of two scores of the same cases."""

    area: float
    other: float
    difference: float
    """`area` - `other`."""
    low: float
    """Lower end of the 95 % interval of the difference."""
    high: float
    p: float
    """Two-sided p-value of no difference; 1 where both scores rank all cases alike."""


def areas_covariance(labels: Array, scores: Array) -> tuple[Array, Array]:
    """(areas (k,), covariance (k, k)) of `scores` (k, n) for label 1 of `labels` 0 or 1 (n,).

    Raises SettingsError for less than two cases of a label: a covariance needs two.
    """
    for row in np.atleast_2d(scores):
        check_binary(labels, row)
    positive = np.asarray(labels) == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        raise SettingsError(
            f"{m} cases of label 1 and {n} of label 0 have no covariance of areas: each needs two cases."
        )
    rows = np.atleast_2d(np.asarray(scores, np.float64))
    joint = rankdata(rows, axis=1)
    # a midrank among all minus that among the own kind counts the other kind's cases below, ties by half
    above = (joint[:, positive] - rankdata(rows[:, positive], axis=1)) / n
    below = 1.0 - (joint[:, ~positive] - rankdata(rows[:, ~positive], axis=1)) / m
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return above.mean(1), covariance


def compare_areas(labels: Array, scores: Array, others: Array) -> AreaDifference:
    """Compare the areas of `scores` and `others` (n,), two scores of the same cases.

    >>> labels = np.array([0, 0, 0, 1, 1, 1])
    >>> compared = compare_areas(labels, np.array([1, 2, 3, 4, 5, 6]), np.array([1, 2, 5, 3, 4, 6]))
    >>> round(compared.area, 3), round(compared.other, 3)
    (1.0, 0.778)
    """
    areas, covariance = areas_covariance(labels, np.stack([scores, others]))
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    deviation = sqrt(max(0.0, variance))
    exact = deviation < 1e-12
    p = (1.0 if abs(difference) < 1e-12 else 0.0) if exact else float(2 * ndtr(-abs(difference) / deviation))
    half = Z_95 * deviation
    return AreaDifference(float(areas[0]), float(areas[1]), difference, difference - half, difference + half, p)

"""calibration: how far probabilities are from shares, and the two numbers that bring them nearer.

```text
expected calibration error   sum over bins of  share of cases x | mean confidence - accuracy |       (Guo et al., ICML 2017)
temperature                  softmax(logits / T)                   one number, the ranking of cases is kept
Platt                        sigmoid(a * (logit 1 - logit 0) + b)  two numbers, two classes; targets smoothed (Platt 1999)
```
Confidence is the probability of the class that is named. Both fits take validation films: on training films a network is surer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_expit, log_softmax, softmax

from ...errors import SettingsError

Array = npt.NDArray[Any]
BINS = 15
MAX_LOG_TEMPERATURE = 4.0
"""Temperatures from exp(-4) to exp(4) are tried: cases that are all right have no finite one."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """softmax(slope * logits + offset for the last class)."""

    slope: float = 1.0
    """1 / temperature."""
    offset: float = 0.0
    """Added to the logit of the last class, of two."""

    def __call__(self, logits_NK: Array) -> Array:
        """Probabilities (N, K) float64 of logits (N, K)."""
        scaled = self.slope * np.asarray(logits_NK, np.float64)
        scaled[:, -1] += self.offset
        return np.asarray(softmax(scaled, axis=1))


def fit_temperature(logits_NK: Array, labels: Array) -> Calibration:
    """The temperature of the least cross-entropy on these cases.

    >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> round(float(fit_temperature(logits, np.array([0, 0, 1, 1]))(logits)[0, 0]), 3)
    0.75
    """
    check_cases(logits_NK, labels)
    logits, rows = np.asarray(logits_NK, np.float64), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean())

    bounds = (-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return Calibration(slope=float(np.exp(-best.x)))


def fit_platt(logits_N2: Array, labels: Array) -> Calibration:
    """Slope and offset of the least cross-entropy on these cases of two classes, with Platt's smoothed targets.

    A case of label 1 has the target (m + 1) / (m + 2) for m such cases, one of label 0 1 / (n + 2): the slope is finite where
    the classes do not overlap.
    """
    check_cases(logits_N2, labels)
    if np.shape(logits_N2)[1] != 2:
        raise SettingsError(
            f"Platt's calibration is one of two classes, not of {np.shape(logits_N2)[1]}: use temperature."
        )
    margin = np.asarray(logits_N2, np.float64) @ (-1.0, 1.0)
    m, n = int((labels == 1).sum()), int((labels == 0).sum())
    target = np.where(labels == 1, (m + 1) / (m + 2), 1 / (n + 2))
    spread = max(float(margin.std()), 1e-9)

    def loss(numbers: Array) -> tuple[float, Array]:
        score = numbers[0] * margin / spread + numbers[1]
        error = np.exp(log_expit(score)) - target
        value = -(target * log_expit(score) + (1 - target) * log_expit(-score)).mean()
        return float(value), np.array([(error * margin / spread).mean(), error.mean()])

    best = minimize(loss, np.array([spread, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-8})
    return Calibration(slope=float(best.x[0] / spread), offset=float(best.x[1]))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Cases in bins of confidence, for the diagram; bins without a case are left out."""

    confidence: Array
    """Mean confidence of each bin."""
    accuracy: Array
    """Share of each bin whose named class is right."""
    cases: Array


def reliability(probabilities_NK: Array, labels: Array, *, bins: int = BINS, adaptive: bool = False) -> Reliability:
    """Cases by confidence, in `bins` of equal width over [0, 1], or `adaptive` ones of equally many cases."""
    check_cases(probabilities_NK, labels)
    confidence = np.asarray(probabilities_NK, np.float64).max(1)
    right = np.asarray(probabilities_NK).argmax(1) == labels
    if adaptive:
        parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(labels)))
    else:
        member = np.minimum((np.ceil(confidence * bins) - 1).clip(0).astype(int), bins - 1)  # bins hold their upper end
        parts = [np.flatnonzero(member == b) for b in np.unique(member)]
    return Reliability(
        confidence=np.array([confidence[part].mean() for part in parts]),
        accuracy=np.array([right[part].mean() for part in parts]),
        cases=np.array([len(part) for part in parts]),
    )


def calibration_error(probabilities_NK: Array, labels: Array, *, bins: int = BINS, adaptive: bool = False) -> float:
    """Expected calibration error: 0 at best. With few cases a bin it is above 0 by chance even for true probabilities.

    >>> calibration_error(np.array([[0.25, 0.75]] * 4), np.array([1, 1, 1, 0]))
    0.0
    """
    table = reliability(probabilities_NK, labels, bins=bins, adaptive=adaptive)
    return float((table.cases * np.abs(table.confidence - table.accuracy)).sum() / table.cases.sum())


def check_cases(values_NK: Array, labels: Array) -> None:
    """Raises SettingsError for no cases, or labels that are no column."""
    shape = np.shape(values_NK)
    if len(shape) != 2 or not shape[0] or len(labels) != shape[0] or not np.isin(labels, np.arange(shape[1])).all():
        raise SettingsError(
            f"{len(labels)} labels cannot be judged by values of shape {shape}: one row a case, one column a class."
        )

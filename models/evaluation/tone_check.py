"""Tone check: whether a score follows what a film's grey values alone say (`tone.py`), and how well these tell by themselves.

The bound of a Bernoulli likelihood contains the entropy of pixels; a score that ranks films as their tone does has found tone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from .detection import Detection, detection

Array = npt.NDArray[Any]
STRONG = 0.5
"""A rank correlation of this size or more is cautioned about."""


@dataclass(frozen=True, slots=True)
class ToneCheck:
    """Scores against tones, over the same films."""

    correlations: Mapping[str, Mapping[str, float]]
    """Score -> tone -> Spearman's rank correlation; NaN where one of the two is constant."""
    detections: Mapping[str, Detection]
    """Tone -> how well it tells abnormal films; empty without labels."""
    follows: Mapping[str, tuple[str, ...]]
    """Score -> tones with which it is correlated by `STRONG` or more."""


def tone_check(
    scores: Mapping[str, Array],
    tones: Mapping[str, Array],
    *,
    abnormal: Array | None = None,
    subjects: Array | None = None,
    seed: int = 0,
) -> ToneCheck:
    """Check scores (n,) against tones (n,), such as those of `tones` and the size of the films' own files.

    `abnormal` (n,) bool where labels are known; `subjects` keeps a subject's films together in the intervals. Raises
    SettingsError for labels of one kind.

    >>> values = np.arange(10.0)
    >>> check = tone_check({"score": values}, {"mean_intensity": -values})
    >>> check.correlations["score"]["mean_intensity"], check.follows["score"]
    (-1.0, ('mean_intensity',))
    """
    correlations = {
        name: {tone: rank_correlation(values, others) for tone, others in tones.items()}
        for name, values in scores.items()
    }
    detections = {}
    if abnormal is not None:
        people = np.arange(len(abnormal)) if subjects is None else subjects
        detections = {tone: detection(abnormal, values, people, seed=seed) for tone, values in tones.items()}
    follows = {name: tuple(tone for tone, r in row.items() if abs(r) >= STRONG) for name, row in correlations.items()}
    return ToneCheck(correlations, detections, follows)


def rank_correlation(one: Array, other: Array) -> float:
    """Spearman's rank correlation; NaN where one of the two is constant."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(round(spearmanr(one, other).statistic, 12))

"""losses: cross-entropy of each film: how far the probability of its label is from 1."""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array
from .cohort import FilmCohort
from .probabilities import Judgement

LEAST = 1e-7
"""Least probability: a loss is finite."""


def losses_of(judgement: Judgement, cohort: FilmCohort) -> Array:
    """Cross-entropy in nats, float32 (film,); nan where a film has no label that the networks know, or is not judged."""
    losses = np.full(len(cohort.labels), np.nan, np.float32)
    rows = np.flatnonzero(judgement.judged & (cohort.labels >= 0))
    losses[rows] = -np.log(np.maximum(judgement.mean[rows, cohort.labels[rows]], LEAST))
    return losses

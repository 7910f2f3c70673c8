"""Detection: how well a score tells abnormal from normal, with intervals that keep a subject's films together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError
from ..seeds import numpy_generator
from .ranking import auroc, average_precision

Array = npt.NDArray[Any]
BOOTSTRAP_DRAWS = 1000
WEIGHTS_AT_ONCE = 4_000_000
"""Films times draws that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Figures of one score; 0.5 (AUROC) and the share of abnormal films (AUPRC) are chance."""

    auroc: float
    """Area under the ROC curve: how often an abnormal film has the higher score of two; below 0.5 it is turned round."""
    auroc_low: float
    auroc_high: float
    auprc: float
    """Average precision."""
    auprc_low: float
    auprc_high: float
    normal: int
    """Films."""
    abnormal: int


@dataclass(frozen=True, slots=True)
class Difference:
    """AUROC of one score minus that of another on the same films."""

    difference: float
    low: float
    high: float


def detection(
    abnormal: Array, scores: Array, subjects: Array, *, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Detection:
    """AUROC and AUPRC of a score (n,), with 95 % intervals over draws of subjects; `abnormal` (n,) bool.

    Raises SettingsError unless there are normal and abnormal films and every score is finite.
    """
    abnormal = _checked(abnormal, {"the score": scores})
    areas, precisions = zip(*_drawn_figures(abnormal, scores, subjects, draws, seed), strict=True)
    low, high = np.nanpercentile([np.concatenate(areas), np.concatenate(precisions)], (2.5, 97.5), axis=1)
    return Detection(
        auroc=auroc(abnormal, scores),
        auroc_low=float(low[0]),
        auroc_high=float(high[0]),
        auprc=average_precision(abnormal, scores),
        auprc_low=float(low[1]),
        auprc_high=float(high[1]),
        normal=int((~abnormal).sum()),
        abnormal=int(abnormal.sum()),
    )


def differences(
    abnormal: Array,
    scores: Array,
    others: Mapping[str, Array],
    subjects: Array,
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> dict[str, Difference]:
    """AUROC of a score minus that of each other score, with 95 % intervals over the same draws of subjects.

    Raises SettingsError as `detection` does.
    """
    abnormal = _checked(abnormal, {"the score": scores, **others})

    def areas(values: Array) -> Array:
        return np.concatenate([part for part, _ in _drawn_figures(abnormal, values, subjects, draws, seed)])

    own, table = areas(scores), {}
    for name, other in others.items():
        low, high = np.nanpercentile(own - areas(other), (2.5, 97.5))
        table[name] = Difference(auroc(abnormal, scores) - auroc(abnormal, other), float(low), float(high))
    return table


def _drawn_figures(
    abnormal: Array, scores: Array, subjects: Array, draws: int, seed: int
) -> Iterator[tuple[Array, Array]]:
    """(AUROC, AUPRC) of some draws after others; a film counts as often as its subject was drawn.

    Films of equal score are one threshold, and thresholds are summed up once for all draws.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(np.asarray(scores, np.float64)[order]) != 0])
    for counts in _subject_counts(subjects, draws, seed, WEIGHTS_AT_ONCE // max(1, len(order)) + 1):
        weights = counts[:, order]
        positive = np.add.reduceat(weights * abnormal[order], starts, axis=1)
        negative = np.add.reduceat(weights * ~abnormal[order], starts, axis=1)
        below = np.cumsum(negative, 1) - negative / 2
        above = np.cumsum((positive + negative)[:, ::-1], 1)[:, ::-1]
        right = np.cumsum(positive[:, ::-1], 1)[:, ::-1]
        total = positive.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas = (positive * below).sum(1) / (total * negative.sum(1))
            precisions = (positive * np.where(above > 0, right / np.maximum(above, 1), 0)).sum(1) / total
        yield areas, precisions


def _subject_counts(subjects: Array, draws: int, seed: int, at_once: int) -> Iterator[Array]:
    """How often each film counts in some draws (draw, film): as many subjects as there are, with replacement."""
    source = numpy_generator(seed, "bootstrap")
    _, member = np.unique(subjects, return_inverse=True)
    people = int(member.max()) + 1
    for first in range(0, draws, at_once):
        counts = source.multinomial(people, np.full(people, 1 / people), min(at_once, draws - first))
        yield counts[:, member].astype(np.float64)


def _checked(abnormal: Array, scores: Mapping[str, Array]) -> Array:
    abnormal = np.asarray(abnormal).astype(bool)
    if abnormal.all() or not abnormal.any():
        raise SettingsError(
            f"of {len(abnormal)} films {int(abnormal.sum())} are abnormal: an area under a curve needs films of both kinds."
        )
    for name, values in scores.items():
        if len(values) != len(abnormal) or not np.isfinite(values).all():
            raise SettingsError(
                f"{name} has {int(np.isfinite(values).sum())} finite values of {len(values)} for {len(abnormal)} films: every "
                "film needs one."
            )
    return abnormal

"""baselines: what a user would do to intensities without a learned model, each fitted on volumes of two sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from .landmarks import fit_landmarks
from .quantiles import Array, MaskedVolume, Transform, inside_of, matched, mean_quantile_function, quantile_function

Fit = Callable[[Iterable[MaskedVolume], Iterable[MaskedVolume]], Transform]
"""(volumes of the source site, volumes of the target site) -> transform of a volume of the source site.

Each iterable is read at most once, one volume at a time.
"""
IDENTITY = "identity"


def fit_identity(source: Iterable[MaskedVolume], target: Iterable[MaskedVolume]) -> Transform:
    """The transform that changes nothing."""
    return lambda values, mask: values.astype(np.float32)


def fit_z_score(source: Iterable[MaskedVolume], target: Iterable[MaskedVolume]) -> Transform:
    """Give each volume the mean and standard deviation inside the mask that the target's volumes have on average.

    Values below the lowest of the target's become that: the dark tail of a scan would else turn negative.
    """
    facts = [(inside.mean(), inside.std(), inside.min()) for inside in (inside_of(*volume) for volume in target)]
    if not facts:
        raise ValueError("no volumes of the target site: there is no mean to bring volumes to")
    target_mean, target_sd, _ = np.mean(facts, axis=0)
    lowest = min(low for _, _, low in facts)

    def transform(values: Array, mask: Array) -> Array:
        inside = inside_of(values, mask)
        scale = target_sd / inside.std() if inside.std() else 0.0  # a constant volume becomes the target's mean
        result = values.astype(np.float32)
        result[mask] = np.maximum((inside - inside.mean()) * scale + target_mean, lowest)
        return result

    return transform


def fit_mean_histogram(source: Iterable[MaskedVolume], target: Iterable[MaskedVolume]) -> Transform:
    """Match each volume's histogram to the target's mean histogram."""
    standard = mean_quantile_function(target)
    return lambda values, mask: matched(values, mask, standard)


def fit_typical_volume(source: Iterable[MaskedVolume], target: Iterable[MaskedVolume]) -> Transform:
    """Match each volume's histogram to one volume: the target's whose histogram lies nearest to their mean."""
    functions = np.array([quantile_function(*volume) for volume in target])
    if not len(functions):
        raise ValueError("no volumes of the target site: there is nothing to match intensities to")
    nearest = int(np.abs(functions - functions.mean(0)).mean(1).argmin())
    return lambda values, mask: matched(values, mask, functions[nearest])


BASELINES: Mapping[str, Fit] = MappingProxyType(
    {
        IDENTITY: fit_identity,
        "z-score": fit_z_score,
        "histogram of a typical volume": fit_typical_volume,
        "mean histogram": fit_mean_histogram,
        "Nyul landmarks": fit_landmarks,
    }
)
"""Name -> fit, in the order of reports."""

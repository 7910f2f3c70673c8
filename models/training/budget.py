"""Budget: numbers of patches and training steps, from the size of the cohort and the effort; never from time or cores."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import SettingsError

EFFORT_FACTORS = {"quick": 0.4, "normal": 1.0, "thorough": 4.0}
MAX_PATCHES = 50_000
MAX_BATCH_CELLS = 40_000_000
"""Cells of a batch of whole volumes; its backward pass takes some 3 GB."""
MIN_VOLUME_STEPS = 600
"""Steps of a training on whole volumes, at least. On 27 brains the RMSE was 0.9 points above principal components after 300
steps, 0.6 after 600."""


MIN_SITE_STEPS, MAX_SITE_STEPS = 300, 1500
"""Steps of a training on random boxes of volumes, before the effort."""
MAX_FILM_STEPS = 6000
"""Steps of a classifier of films, at most, before the effort; at least those of a training on boxes."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Sizes of a training on patches; part of the fingerprint of the settings."""

    patches: int
    """Patches that are sampled."""
    batch: int
    """Patches in a step of reconstruction."""
    reconstruction: int
    """Steps of the autoencoder."""
    views: int
    """Stored views of each patch, the unchanged patch included."""
    seeds: int
    """Heads of each K."""
    heads: int
    """Steps of the heads."""
    fine_tune: int
    """Steps of the fine-tuning."""


@dataclass(frozen=True, slots=True)
class VolumeBudget:
    """Sizes of a training on whole volumes."""

    batch: int
    steps: int


def effort_factor(effort: str | float) -> float:
    """'quick', 'normal', 'thorough' or a number in (0, 1000], as a float. Raises SettingsError for anything else."""
    if isinstance(effort, str) and effort in EFFORT_FACTORS:
        return EFFORT_FACTORS[effort]
    try:
        factor = float(effort)
    except ValueError:
        factor = math.nan
    if not 0.0 < factor <= 1000.0:
        raise SettingsError(
            f"effort is {', '.join(EFFORT_FACTORS)} or a number up to 100 (1 = normal), which scales the steps of training"
        )
    return factor


def budget(available: int, effort: str | float = "normal") -> Budget:
    """The budget of a cohort with `available` different patches (for instance tissue area / patch area)."""
    factor = effort_factor(effort)
    patches = max(1, min(MAX_PATCHES, available, round(2_000 * math.sqrt(factor) * max(1.0, available / 4_000))))
    growth = math.sqrt(patches / 2_000) if patches > 2_000 else 1.0
    return Budget(
        patches=patches,
        batch=64,
        reconstruction=max(10, round(200 * factor * growth)),
        views=4,
        seeds=5,
        heads=max(50, round(300 * min(2.0, factor) * growth)),
        fine_tune=max(5, round(30 * factor * growth)),
    )


def volume_budget(
    volumes: int, cells: int = 0, effort: str | float = "normal", *, classes: bool = False
) -> VolumeBudget:
    """The budget of a training on `volumes` volumes of `cells` cells: each is used about 40 times, in at least 600 steps.

    Where `classes` are learned, batches are larger: a batch must hold several volumes of each class.

    >>> volume_budget(43), volume_budget(1200), volume_budget(1200, 160 * 192 * 160)
    (VolumeBudget(batch=8, steps=600), VolumeBudget(batch=32, steps=1500), VolumeBudget(batch=8, steps=6000))
    >>> volume_budget(43, classes=True)
    VolumeBudget(batch=32, steps=300)
    """
    batch = 32 if volumes >= 256 or classes else 16 if volumes >= 96 else 8
    batch = max(1, min(batch, MAX_BATCH_CELLS // cells)) if cells else batch
    steps = max(MIN_VOLUME_STEPS if batch < 32 else MIN_VOLUME_STEPS // 2, 40 * volumes // batch)
    return VolumeBudget(batch=max(1, min(batch, volumes)), steps=max(4, round(steps * effort_factor(effort))))


def site_budget(images: int, effort: str | float = "normal") -> VolumeBudget:
    """The budget of a classifier that is trained on a random box of each image of a batch: each is used about 60 times.

    >>> site_budget(200), site_budget(20)
    (VolumeBudget(batch=24, steps=500), VolumeBudget(batch=20, steps=300))
    """
    batch = max(2, min(24, images))
    steps = max(MIN_SITE_STEPS, min(MAX_SITE_STEPS, 60 * images // batch))
    return VolumeBudget(batch=batch, steps=max(4, round(steps * effort_factor(effort))))


def film_budget(films: int, effort: str | float = "normal") -> VolumeBudget:
    """The budget of a classifier of films from drawn weights: each film is used about 16 times, in 300 to 6000 steps.

    >>> film_budget(600), film_budget(17848)
    (VolumeBudget(batch=32, steps=300), VolumeBudget(batch=32, steps=6000))
    """
    batch = max(2, min(32, films))
    steps = max(MIN_SITE_STEPS, min(MAX_FILM_STEPS, 16 * films // batch))
    return VolumeBudget(batch=batch, steps=max(4, round(steps * effort_factor(effort))))

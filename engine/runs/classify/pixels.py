"""pixels: what a logistic regression on 32 x 32 pixels says of films, trained and judged on the parts of the networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.films.prepare import prepared
from ....stores.folder import Folder
from ....stores.frame import Array
from ...pipeline.job import Job
from ...steps.films.rows import FilmRows
from ...steps.split_column import TEST, TRAIN, VALIDATION
from .folds import folds_of, parts_of
from .probabilities import repeat_of

SIDE = 32
MOST_FILMS = 20_000
"""Films that it is trained on, or judged on, at most."""
AT_ONCE = 4096


def small_films(folder: Folder, rows: Array) -> Array:
    """Films reduced to SIDE x SIDE and standardised each, float32 (n, SIDE²); `rows` of films.zarr, ascending."""
    films = FilmRows(folder, rows)
    out = np.empty((len(rows), SIDE * SIDE), np.float32)
    for start in range(0, len(rows), AT_ONCE):
        index = np.arange(start, min(start + AT_ONCE, len(rows)))
        for row, film in zip(index, films[index][:, 0], strict=True):
            small = prepared(film, SIDE)
            out[row] = ((small - small.mean()) / max(float(small.std()), 1e-3)).ravel()
    return out


def too_many(films: Array) -> bool:
    """Whether films are more than it is fitted to."""
    return len(films) > MOST_FILMS


def pixel_probabilities(job: Job[Any], labels: Array, classes: int) -> Array:
    """Probabilities (repeat, film, class) float32; nan where it judges no film, or films are too many."""
    from ....models.evaluation.pixel_classifier import pixel_classifier

    folds, parts = folds_of(job.folder), parts_of(job.folder)
    out = np.full((folds.repeats, len(labels), classes), np.nan, np.float32)
    names = [name for name, sizes in folds.networks.items() if not sizes.site and (parts[name] == TEST).any()]
    used = (
        np.flatnonzero(np.any([parts[name] != 0 for name in names], 0) & (labels >= 0)) if names else np.zeros(0, int)
    )
    if not len(used) or too_many(used):
        return out
    values = small_films(job.folder, used)
    for name in names:
        part = parts[name][used]
        train, test = np.flatnonzero((part == TRAIN) | (part == VALIDATION)), np.flatnonzero(part == TEST)
        if not len(test) or len(np.unique(labels[used[train]])) < classes:
            continue
        classify = pixel_classifier(values[train], labels[used[train]])
        out[repeat_of(name), used[test]] = classify(values[test])
    return out

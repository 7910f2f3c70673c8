"""places: where the rows of a table lie in the plane: by the run's layout, by principal components, or by rank and score."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...stores.frame import Array
from ..runs.anomaly.score_names import SHOWN
from ..show.tile_plane import PLACED_BY
from ..steps.layouts import layout_in

FIT_ROWS = 20_000
"""Cases that principal components are found on, where the run has no layout."""


def placed_by_embedding(table: Any, rows: Array) -> tuple[Array, str]:
    """(float32 (n, 2) of these rows, what placed them, in words): the table's layout, else principal components."""
    found = layout_in(table)
    if found is None:
        return components(np.asarray(table.X), rows), PLACED_BY["pca"]
    return found[0].astype(np.float32)[rows], PLACED_BY.get(found[1], found[1])


def placed_by_score(table: Any, rows: Array) -> tuple[Array, str]:
    """The same by the first score: its rank, and the score from 0 to 1; NaN for rows that have none."""
    scores, method = _first_score(table)
    rank = np.argsort(np.argsort(-scores, kind="stable")) / max(1, np.isfinite(scores).sum() - 1)
    return np.stack([rank, _unit(scores)], 1).astype(np.float32)[rows], method


def are_of_sites(table: Any) -> bool:
    """Whether the scores of a table are the probabilities of sites, among them that of each row."""
    sites = {str(site) for site in table.obs["site"]} if "site" in table.obs else set()
    return bool(sites) and sites <= set(map(str, table.var_names))


def components(vectors: Array, rows: Array) -> Array:
    """The first two principal components of these rows, float32 (n, 2)."""
    fitted = vectors[rows[:FIT_ROWS]].astype(np.float64)
    if len(fitted) < 2:
        return np.zeros((len(rows), 2), np.float32)
    mean = fitted.mean(0)
    axes = np.linalg.eigh((fitted - mean).T @ (fitted - mean))[1][:, :-3:-1]
    places = (vectors[rows].astype(np.float64) - mean) @ axes
    return np.asarray(np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), np.float32)  # of one feature, a line


def _first_score(table: Any) -> tuple[Array, str]:
    """(score of each row, what the plane is called): of sites the probability of the own one, else the one that is shown."""
    values, names = np.asarray(table.X, np.float64), list(map(str, table.var_names))
    if are_of_sites(table):
        own = values[np.arange(len(values)), [names.index(str(site)) for site in table.obs["site"]]]
        return own, "probability of the own site (up), highest on the left"
    name = SHOWN if SHOWN in names else names[0]
    return values[:, names.index(name)], f"{name.replace('_', ' ')} (up), highest on the left"


def _unit(scores: Array) -> Array:
    """Scores from 0 to 1; NaN stays."""
    low, high = (np.nanmin(scores), np.nanmax(scores)) if np.isfinite(scores).any() else (0.0, 1.0)
    return np.asarray((scores - low) / (high - low if high > low else 1.0))

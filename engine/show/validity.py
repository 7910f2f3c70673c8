"""validity: names and types of validity indices for plots and pages."""

from __future__ import annotations

from collections.abc import Mapping

Score = Mapping[str, str | int | float]
"""One measurement: k, seed, index (a key of INDICES), value."""

Ranks = Mapping[int, tuple[float, float]]
"""K -> its mean rank over indices and seeds (1 is best) and that mean's standard error."""

INDICES: dict[str, tuple[str, bool]] = {
    "dunn": ("Dunn", True),
    "dunn_trimmed": ("Dunn, trimmed", True),
    "silhouette": ("Silhouette", True),
    "calinski_harabasz": ("Calinski–Harabasz", True),
    "davies_bouldin": ("Davies–Bouldin", False),
}
"""Name for people, and whether a higher value is better."""

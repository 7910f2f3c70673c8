"""cautions: warnings beside a map of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...stores.frame import Array
from .page import Caution
from .validity import INDICES


def cautions_of(
    counts: Array, *, best: Mapping[str, int] = MappingProxyType({}), effective: float | None = None
) -> tuple[Caution, ...]:
    """Warnings of collapsed clusters, clusters specific to one slide, and validity indices that disagree.

    `counts` are tiles (cluster, slide), `best` is index -> its best K, `effective` the effective number of clusters.
    """
    from ...models.evaluation.metrics import slide_dependence

    found = []
    clusters = counts.shape[0]
    if effective is not None and effective < 0.5 * clusters:
        text = (
            f"{clusters} clusters hold as much as {effective:.1f} equal ones would: most tiles fell into few of them."
        )
        found.append(Caution("Clusters have collapsed.", text))
    bound = slide_dependence(counts).single_slide
    if bound:
        which = ", ".join(map(str, bound))
        subject, verb = (f"Clusters {which}", "tell") if len(bound) > 1 else (f"Cluster {which}", "tells")
        text = (
            "With as many tiles from every slide, nine tenths of theirs would lie on one: this may be that slide's stain "
            "or scanner, not its tissue."
        )
        found.append(Caution(f"{subject} only {verb} slides apart.", text))
    if best and max(best.values()) - min(best.values()) > 2:
        choices = ", ".join(f"{INDICES[name][0]} {k}" for name, k in best.items())
        found.append(Caution("The validity indices disagree about K.", f"Best by each: {choices}."))
    return tuple(found)

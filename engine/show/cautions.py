"""cautions: warnings beside a map of clusters."""

from __future__ import annotations

from ...stores.frame import Array
from .page import Caution


def cautions_of(counts: Array, *, effective: float | None = None) -> tuple[Caution, ...]:
    """Warnings of collapsed clusters and of clusters specific to one slide.

    `counts` are tiles (cluster, slide), `effective` is the effective number of the trained clusters.
    """
    from ...models.evaluation.metrics import slide_dependence

    cautions = []
    clusters = counts.shape[0]
    if effective is not None and effective < 0.5 * clusters:
        text = f"The effective number of clusters is {effective:.1f} of {clusters}: most tiles lie in a few clusters."
        cautions.append(Caution("Clusters have collapsed.", text))
    labels = slide_dependence(counts).single_slide
    if labels:
        names = ", ".join(map(str, labels))
        subject, verb = (f"Clusters {names}", "tell") if len(labels) > 1 else (f"Cluster {names}", "tells")
        text = (
            "If every slide is weighted to the same number of tiles, over nine tenths of such a cluster's tiles lie on one "
            "slide: the cluster may show that slide's stain or scanner, not its tissue."
        )
        cautions.append(Caution(f"{subject} only {verb} slides apart.", text))
    return tuple(cautions)

"""cautions: warnings of clusters that collapsed."""

from __future__ import annotations

from .page import Caution


def cautions_of(clusters: int, *, effective: float | None = None) -> tuple[Caution, ...]:
    """A warning of collapsed clusters; `effective` is the effective number of the trained clusters."""
    if effective is None or effective >= 0.5 * clusters:
        return ()
    text = f"The effective number of clusters is {effective:.1f} of {clusters}: most tiles lie in a few clusters."
    return (Caution("Clusters have collapsed.", text),)

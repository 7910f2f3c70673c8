"""baselines_section: the section of a report that compares the clusters with those of simpler methods."""

from __future__ import annotations

from collections.abc import Mapping

from .numbers import number
from .page import Column, Section, Table

METHODS = {
    "imsat": "IMSAT, a network that maximises information",
    "iic": "IIC, a network that maximises information",
    "scan": "SCAN, a network that joins neighbours",
    "temi": "TEMI, a network that joins neighbours",
    "kmeans": "k-means",
    "graph": "fine clusters, merged along the graph of nearest neighbours",
    "leiden": "Leiden communities of the graph of nearest neighbours",
}
"""Objective -> what a reader calls it."""


def baselines_section(objective: str, clusters: int, baselines: Mapping[str, float | None]) -> Section:
    """Adjusted Rand index of the run's clusters and those of each classical method; None where it was not computed."""
    text = (
        f"The {clusters} clusters of the sampled patches were found by {METHODS[objective]}. Simpler methods on the same "
        "embeddings found as many: the adjusted Rand index is 1 for the same clusters, and 0 for chance."
    )
    missing = [METHODS[name] for name, value in baselines.items() if value is None]
    rest = (f"Not computed, as the package igraph is not installed: {', '.join(missing)}.",) if missing else ()
    rows = tuple((METHODS[name], number(value)) for name, value in baselines.items() if value is not None)
    columns = (Column("Method"), Column("Adjusted Rand index", "number"))
    return Section(
        "Beside simpler methods", (text, *rest), tables=(Table(columns, rows, "Agreement with the clusters"),)
    )

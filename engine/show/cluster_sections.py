"""cluster_sections: sections of a report on clusters: maps, clusters by slide, and the number of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .legend import Legend
from .numbers import number
from .page import Column, Image, Section, Table
from .spreadsheet import Cell
from .validity import INDICES, Ranks, Score

MAX_SLIDES_IN_COLUMNS = 40
"""Largest number of slides with a column in the table of clusters by slide."""


def maps_section(images: Sequence[Image], *, heading: str = "Maps", noun: str = "slide") -> Section:
    """The maps of the slides."""
    text = (
        f"Each {noun}, and the same {noun} coloured by cluster: a colour means the same cluster on every {noun}. "
        "Click a map to enlarge it."
    )
    return Section(heading, (text,), figures=tuple(images))


def by_slide_section(counts: Array, *, names: Sequence[str], legend: Legend, figure: Path | None = None) -> Section:
    """Cluster × slide, with the normalised mutual information of the two; `counts` are tiles (cluster, slide)."""
    from ...models.evaluation.metrics import slide_dependence

    shared = slide_dependence(counts)
    text = (
        f"Normalised mutual information of cluster and slide: {shared.nmi:.2f} (0: every slide has the same mixture; "
        f"1: the slide determines the cluster). A high value may come from biology or from stain: look at the maps."
    )
    columns = (
        Column("Cluster"),
        Column("Tiles", "number"),
        *(Column(name, "share") for name in names[:MAX_SLIDES_IN_COLUMNS]),
    )
    totals = np.maximum(counts.sum(axis=0), 1)
    bound = {label - 1 for label in shared.single_slide}
    rows: list[tuple[Cell, ...]] = [
        (name, int(counts[i].sum()), *(float(v) for v in (counts[i] / totals)[:MAX_SLIDES_IN_COLUMNS]))
        for i, (_, name, _) in enumerate(legend)
    ]
    caption = "Share of each slide's tiles" + (
        f", first {MAX_SLIDES_IN_COLUMNS} slides" if len(names) > MAX_SLIDES_IN_COLUMNS else ""
    )
    table = Table(columns, tuple(rows), caption, frozenset(bound))
    return Section("Clusters by slide", (text,), _figures(figure, "Share of each cluster on each slide"), (table,))


def k_section(scores: Sequence[Score], *, ranks: Ranks, recommended: int, figure: Path | None = None) -> Section:
    """All indices over K: means over seeds, the mean rank, and the recommended K set off."""
    names = [name for name in INDICES if any(row["index"] == name for row in scores)]
    columns = [Column("K", "number")]
    columns += [Column(f"{INDICES[name][0]} {'↑' if INDICES[name][1] else '↓'}", "number") for name in names]
    columns.append(Column("Mean rank ↓", "number"))
    rows: list[tuple[Cell, ...]] = []
    for k, (rank, error) in ranks.items():
        cells: list[Cell] = [k]
        for name in names:
            values = np.array([float(r["value"]) for r in scores if r["index"] == name and int(r["k"]) == k])
            values = values[np.isfinite(values)]
            spread = f" ± {values.std(ddof=1):.2g}" if len(values) > 1 else ""
            cells.append(number(float(values.mean())) + spread if len(values) else None)
        rows.append((*cells, f"{rank:.2f}" + (f" ± {error:.2f}" if error else "")))
    marked = frozenset(i for i, row in enumerate(rows) if row[0] == recommended)
    text = f"K = {recommended} was set, not chosen from a range."
    if len(ranks) > 1:
        text = (
            f"Recommended: {recommended}, the smallest K whose mean rank over indices and seeds lies within one "
            "standard error of the best. Indices measure different things and often disagree."
        )
    table = Table(
        tuple(columns),
        tuple(rows),
        "Mean ± standard deviation over seeds; the mean rank with its standard error",
        marked,
    )
    return Section("How many clusters", (text,), _figures(figure, "Validity indices over K"), (table,))


def _figures(path: Path | None, caption: str) -> tuple[Image, ...]:
    return () if path is None else (Image(path, caption),)

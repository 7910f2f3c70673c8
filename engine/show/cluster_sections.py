"""cluster_sections: sections of a report on clusters: maps, clusters by slide, and the number of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...stores.frame import Array
from .legend import Legend
from .numbers import number
from .page import Column, Image, Section, Table
from .spreadsheet import Cell
from .validity import INDICES, Comeback, Score, monotone

MAX_SLIDES_IN_COLUMNS = 40
"""Largest number of slides with a column in the table of clusters by slide."""
GLASS = "As bright as glass"
"""Heading of the share of a cluster's pixels that are as bright as the slide's glass."""
SAMPLED = "of a sample of its tiles on brightfield slides"
"""What that share is of."""


def maps_section(images: Sequence[Image], *, heading: str = "Maps", noun: str = "slide", seen: str = "") -> Section:
    """The maps of the slides; `seen` says which side is which on volumes."""
    text = (
        f"Each {noun}, and the same {noun} coloured by cluster: a colour means the same cluster on every {noun}. "
        "Click a map to enlarge it."
    )
    return Section(heading, (text, *filter(None, (seen,))), figures=tuple(images))


def by_slide_section(
    counts: Array,
    *,
    names: Sequence[str],
    legend: Legend,
    figure: Path | None = None,
    noun: str = "slide",
    glass: Mapping[int, float] | None = None,
) -> Section:
    """Share of each cluster in the tiles of each slide, or other image by `noun`; `counts` are tiles (cluster, slide).

    `glass` is the share of each cluster's pixels that are as bright as the slide's glass, where it is known.
    """
    columns = (
        Column("Cluster"),
        Column("Tiles", "number"),
        *([Column(GLASS, "share")] if glass else []),
        *(Column(name, "share") for name in names[:MAX_SLIDES_IN_COLUMNS]),
    )
    totals = counts.sum(axis=0)
    rows: list[tuple[Cell, ...]] = []
    for i, (number_shown, name, _) in enumerate(legend):
        of_glass = [glass.get(number_shown)] if glass else []
        shares = [float(n / total) if total else None for n, total in zip(counts[i], totals, strict=True)]
        rows.append((name, int(counts[i].sum()), *of_glass, *shares[:MAX_SLIDES_IN_COLUMNS]))
    caption = f"Share of each {noun}'s tiles" + (
        f", first {MAX_SLIDES_IN_COLUMNS} {noun}s" if len(names) > MAX_SLIDES_IN_COLUMNS else ""
    )
    if glass:
        caption += f"; {GLASS.lower()}: share of each cluster's pixels, {SAMPLED}"
    table = Table(columns, tuple(rows), caption)
    return Section(f"Clusters by {noun}", (), _figures(figure, f"Share of each cluster on each {noun}"), (table,))


def k_section(
    scores: Sequence[Score],
    *,
    comebacks: Sequence[Comeback],
    text: Sequence[str],
    shown: int,
    figure: Path | None = None,
    heading: str = "How many clusters",
) -> Section:
    """Reproducibility and all indices over K, with the K that is shown set off."""
    names = [name for name in INDICES if any(row["index"] == name for row in scores)]
    columns = [Column("K", "number"), Column("Reproducibility ↑", "number"), Column("of chance", "number")]
    columns += [Column("Weakest cluster ↑", "number"), Column("Reproducible")]
    columns += [Column(f"{INDICES[name][0]} {'↑' if INDICES[name][1] else '↓'}", "number") for name in names]
    means: dict[str, dict[int, float]] = {name: {} for name in names}
    rows: list[tuple[Cell, ...]] = []
    for row in comebacks:
        verdict = "yes" if row.passes else "no"
        cells: list[Cell] = [row.clusters, number(row.rand), number(row.chance), number(min(row.jaccard)), verdict]
        for name in names:
            values = np.array([float(r["value"]) for r in scores if r["index"] == name and r["k"] == row.clusters])
            values = values[np.isfinite(values)]
            spread = f" ± {_spread(values):.2g}" if len(values) > 1 else ""
            cells.append(number(float(values.mean())) + spread if len(values) else None)
            if len(values):
                means[name][row.clusters] = float(values.mean())
        rows.append(tuple(cells))
    steady = [INDICES[name][0] for name in names if monotone(means[name])]
    if steady:
        verb = "rise or fall" if len(steady) > 1 else "rises or falls"
        text = [*text, f"{', '.join(steady)} {verb} steadily over this range, and so tell nothing about K."]
    marked = frozenset(i for i, row in enumerate(comebacks) if row.clusters == shown)
    caption = (
        "Reproducibility: adjusted Rand index of clusterings of data drawn again. Weakest cluster: mean Jaccard index of the "
        "cluster that comes back worst. Indices: mean ± standard deviation over seeds."
    )
    if "silhouette_umap" in names:
        caption += (
            " Silhouette, UMAP: of the level of K clusters of the tree, over tiles in the plane of their UMAP, which makes "
            "gaps of its own."
        )
    table = Table(tuple(columns), tuple(rows), caption, marked)
    return Section(heading, tuple(text), _figures(figure, "Reproducibility and validity over K"), (table,))


def _spread(values: Array) -> float:
    """Standard deviation; 0 where values differ by rounding alone."""
    spread = float(values.std(ddof=1))
    return spread if spread > 1e-9 * float(np.abs(values).max()) else 0.0


def _figures(path: Path | None, caption: str) -> tuple[Image, ...]:
    return () if path is None else (Image(path, caption),)

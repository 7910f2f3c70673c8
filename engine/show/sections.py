"""sections: what a run's report is made of, each from plain values; every run picks those that it can fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ...stores.frame import Array
from .legend import Legend
from .numbers import number
from .page import Caution, Column, Image, Section, Table
from .palette import colour
from .spreadsheet import Cell
from .validity import INDICES, Ranks, Score


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide of the table of slides."""

    name: str
    id: str
    spacing: float
    """Micrometres a pixel."""
    shape: tuple[int, ...]
    """Pixels along y and x, or z, y and x."""
    tissue: float
    """Part of the slide that is tissue, 0 to 1."""
    tiles: int
    """Labelled tiles."""
    shares: tuple[float, ...] = ()
    """Share of each cluster, in the legend's order."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds that a stage took; read, compute and write are summed over workers and threads, wall is not."""

    stage: str
    read: float
    compute: float
    write: float
    wall: float


def maps_section(images: Sequence[Image], *, heading: str = "Maps", noun: str = "slide") -> Section:
    """The slides' maps: what a reader looks for first."""
    text = f"Each {noun} beside itself coloured by cluster: one colour is the same cluster on every {noun}. Click to enlarge."
    return Section(heading, (text,), figures=tuple(images))


def slides_section(rows: Sequence[SlideRow], *, legend: Legend = (), noun: str = "slides") -> Section:
    """Every slide (or volume, by `noun`) that was used."""
    columns = [
        Column(noun[:-1].capitalize()),
        Column("Spacing, µm", "number"),
        Column("Width × height, px" if noun == "slides" else "x × y × z, voxels", "number"),
        Column("Tissue", "share"),
        Column("Tiles", "number"),
        *(Column(str(label), "share", colour(label)) for label, _, _ in legend),
        Column("Id", "code"),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            r.name,
            r.spacing,
            " × ".join(f"{n:,}" for n in r.shape[::-1]),
            r.tissue,
            r.tiles,
            *_padded(r.shares, len(legend)),
            r.id,
        )
        for r in rows
    ]
    return Section(noun.capitalize(), tables=(Table(tuple(columns), tuple(cells)),))


def rejected_section(rows: Sequence[tuple[str, str, str]]) -> Section:
    """Every slide that was left out: name, reason code, advice."""
    columns = (Column("Slide"), Column("Reason", "code"), Column("What it means and what to do"))
    return Section("Rejected slides", tables=(Table(columns, tuple(rows)),))


def by_slide_section(counts: Array, *, names: Sequence[str], legend: Legend, figure: Path | None = None) -> Section:
    """Cluster × slide, with the normalised mutual information of the two; `counts` are tiles (cluster, slide)."""
    from ...models.metrics import slide_dependence

    shared = slide_dependence(counts)
    text = (
        f"Normalised mutual information of cluster and slide: {shared.nmi:.2f} (0: every slide has the same mixture; "
        f"1: knowing the slide is knowing the cluster). High values may be biology or stain: look at the maps."
    )
    columns = (Column("Cluster"), Column("Tiles", "number"), *(Column(name, "share") for name in names[:40]))
    totals = np.maximum(counts.sum(axis=0), 1)
    bound = {label - 1 for label in shared.single_slide}
    rows: list[tuple[Cell, ...]] = [
        (name, int(counts[i].sum()), *(float(v) for v in (counts[i] / totals)[:40]))
        for i, (_, name, _) in enumerate(legend)
    ]
    caption = "Share of each slide's tiles" + (", first 40 slides" if len(names) > 40 else "")
    table = Table(columns, tuple(rows), caption, frozenset(bound))
    return Section("Clusters by slide", (text,), _one(figure, "Share of each cluster on each slide"), (table,))


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
    return Section("How many clusters", (text,), _one(figure, "Validity indices over K"), (table,))


def times_section(rows: Sequence[StageTime]) -> Section:
    """Where the time went, stage by stage."""
    columns = (Column("Stage"), *(Column(f"{name}, s", "number") for name in ("Read", "Compute", "Write", "Wall")))
    cells: list[tuple[Cell, ...]] = [
        (r.stage, *(round(float(v), 1) for v in (r.read, r.compute, r.write, r.wall))) for r in rows
    ]
    text = "Read, compute and write are summed over workers and threads and may exceed the wall time."
    return Section("Time", (text,), tables=(Table(columns, tuple(cells)),))


def settings_section(settings: Mapping[str, object], *, heading: str = "Settings") -> Section:
    """Names and values, folded away; serves versions too."""
    rows: tuple[tuple[Cell, ...], ...] = tuple((name, _plain(value)) for name, value in settings.items())
    return Section(heading, tables=(Table((Column("Name"), Column("Value", "code")), rows),), folded=True)


def cautions(
    counts: Array, *, best: Mapping[str, int] = MappingProxyType({}), effective: float | None = None
) -> tuple[Caution, ...]:
    """What the reader must know: few clusters in effect, clusters tied to one slide, indices that disagree."""
    from ...models.metrics import slide_dependence

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
        said = ", ".join(f"{INDICES[name][0]} {k}" for name, k in best.items())
        found.append(Caution("The validity indices disagree about K.", f"Best by each: {said}."))
    return tuple(found)


def _one(path: Path | None, caption: str) -> tuple[Image, ...]:
    return () if path is None else (Image(path, caption),)


def _padded(shares: Sequence[float], count: int) -> tuple[float | None, ...]:
    return (*shares, *(None,) * (count - len(shares)))


def _plain(value: object) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, str | int | float) else str(value)

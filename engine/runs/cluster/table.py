"""table: the table of tiles with their clusters, the share of each cluster in each image, and the list of clusters."""

from __future__ import annotations

from collections.abc import Iterable

from ....stores.array import Written, written
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.palette import hexadecimal
from ...show.spreadsheet import Cell, write_csv
from ...steps.table import TileLabel, write_tile_table
from .layout import read_layout
from .settings import ClusterSettings
from .shown import ShownClusters, shown_clusters
from .tree import clusters_document

RESERVED = frozenset({"slide", "name", "site", "group", "tiles"})
"""Own columns of shares.csv; the user's columns of these names get the prefix `csv `."""


def write_cluster_table(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the table of tiles with their clusters, shares.csv and clusters.csv."""
    shown = shown_clusters(job)
    label = TileLabel("clusters", "cluster", shown.level, fields=("confidence", "assignment"))
    outcome = write_tile_table(job, unit, label, layout=read_layout(job))
    with outcome.clock("write"):
        outcome.files.append(write_shares(job, shown))
        outcome.files.append(write_list(job, shown))
    return outcome


def write_shares(job: Job[ClusterSettings], shown: ShownClusters) -> Written:
    """Write shares.csv: one row per image, with its number of tissue tiles and the share of each cluster."""
    rows: list[dict[str, Cell]] = []
    names = column_names(shown, RESERVED.union(*(record.columns for record in job.slides.values())))
    for slide, counts in shown.slides.items():
        record, total = job.slides[slide], sum(counts)
        list_columns = {f"csv {k}" if k in RESERVED else k: v for k, v in record.columns.items()}
        shares: dict[str, Cell] = {
            name: round(n / total, 6) if total else "" for name, n in zip(names, counts, strict=True)
        }
        own: dict[str, Cell] = {"slide": slide, "name": record.name, "site": record.site, "group": record.subject}
        rows.append({**own, **list_columns, "tiles": total, **shares})
    path = job.folder.out / "shares.csv"
    write_csv(path, rows)
    return written(path)


def column_names(shown: ShownClusters, taken: Iterable[str]) -> list[str]:
    """A column's name for each cluster: its name, with its number where another column has this name."""
    others = [*shown.names, *taken]
    return [name if others.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(shown.names, 1)]


def write_list(job: Job[ClusterSettings], shown: ShownClusters) -> Written:
    """Write clusters.csv: number, name, colour, parent in the tree, tiles and share of every cluster that is shown.

    Edited, it is what `tile-engine relabel --classes` reads.
    """
    parents, total = clusters_document(job).parents, max(1, sum(shown.tiles))
    rows: list[dict[str, Cell]] = [
        {
            "cluster": i,
            "name": name,
            "colour": hexadecimal(shown.colours[i - 1]),
            "into": shown.into.get(i, ""),
            "splits from": parents[i - 1] or "",
            "tiles": tiles,
            "share": round(tiles / total, 6),
        }
        for i, (name, tiles) in enumerate(zip(shown.names, shown.tiles, strict=True), 1)
    ]
    path = job.folder.out / "clusters.csv"
    write_csv(path, rows)
    return written(path)

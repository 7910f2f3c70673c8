"""table: the table of tiles with their clusters, the share of each cluster in each image, the list of clusters, and the
comparison with an old run."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ....stores.array import Written, written
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ...pipeline.unit import Outcome, Unit
from ...show.palette import hexadecimal
from ...show.spreadsheet import Cell, write_csv
from ...steps.checkpoints import write_document
from ...steps.convert.loss import losses
from ...steps.list_columns import list_texts
from ...steps.table import TileLabel, write_tile_table
from .comparison import COMPARISON, compare
from .layout import read_layout
from .nearest import nearest_clusters
from .numbering import numbering_of
from .settings import ClusterSettings
from .shown import ShownClusters, shown_clusters
from .tree import clusters_document

RESERVED = frozenset({"slide", "name", "site", "subject", "lost", "tiles", "tiles_mm2", "tiles_mm3"})
"""Own columns of shares.csv; the user's columns of these names get the prefix `list `."""
NEAREST_COLUMNS = ("nearest", "second nearest")
"""Columns of clusters.csv with the numbers of the nearest clusters; beside each, the distance of the two centres."""


def write_cluster_table(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the table of tiles with their clusters, shares.csv and clusters.csv, and of a matched run the comparison."""
    shown, tree = shown_clusters(job), clusters_document(job)
    numbering = numbering_of(job, tree)
    colours = tuple(map(hexadecimal, shown.colours))
    label = TileLabel("clusters", "cluster", shown.numbers, ("confidence", "assignment"), colours, shown.names)
    outcome = write_tile_table(job, unit, label, layout=read_layout(job))
    with outcome.clock("write"):
        outcome.files.append(write_shares(job, shown))
        outcome.files.append(write_list(job, shown))
        if numbering.run:
            outcome.files.append(write_document(job, COMPARISON, compare(tree, numbering, shown)))
    return outcome


def write_shares(job: Job[ClusterSettings], shown: ShownClusters) -> Written:
    """Write shares.csv: one row per image, with its number of tissue tiles, their size, and the share of each cluster.

    Where anything of an image is lost, the column `lost` says what.
    """
    rows: list[dict[str, Cell]] = []
    lost = losses(job)
    names = column_names(shown, RESERVED.union(*(record.columns for record in job.slides.values())))
    columns = list_texts([job.slides[slide] for slide in shown.slides])
    for i, (slide, counts) in enumerate(shown.slides.items()):
        record, total = job.slides[slide], sum(counts)
        listed = {f"list {name}" if name in RESERVED else name: texts[i] for name, texts in columns.items()}
        shares: dict[str, Cell] = {
            name: round(n / total, 6) if total else "" for name, n in zip(names, counts, strict=True)
        }
        own: dict[str, Cell] = {"slide": slide, "name": record.name, "site": record.site, "subject": record.subject}
        parts: dict[str, Cell] = {"lost": lost.get(slide, "")} if lost else {}
        size: dict[str, Cell] = {f"tiles_{_unit(record)}": round(total * _tile_size(job, record), 6)}
        rows.append({**own, **listed, **parts, "tiles": total, **size, **shares})
    path = job.folder.out / "shares.csv"
    write_csv(path, rows)
    return written(path)


def _tile_size(job: Job[ClusterSettings], record: ImageRecord) -> float:
    """What a tile covers that no other one does, in mm2 of a plane or mm3 of a volume."""
    return math.prod(job.settings.step * um / 1000 for um in record.spacing)


def _unit(record: ImageRecord) -> str:
    return f"mm{len(record.shape)}"


def column_names(shown: ShownClusters, taken: Iterable[str]) -> list[str]:
    """A column's name for each cluster: its name, with its number where another column has this name."""
    others = [*shown.names, *taken]
    named = zip(shown.numbers, shown.names, strict=True)
    return [name if others.count(name) == 1 else f"{name} ({i})" for i, name in named]


def write_list(job: Job[ClusterSettings], shown: ShownClusters) -> Written:
    """Write clusters.csv: what `list_rows` gives. Edited, it is what `tile-engine relabel --classes` reads."""
    path = job.folder.out / "clusters.csv"
    write_csv(path, list_rows(job, shown))
    return written(path)


def list_rows(job: Job[ClusterSettings], shown: ShownClusters) -> list[dict[str, Cell]]:
    """A row for every cluster that is shown: number, name, colour, tiles, share, parent in the tree, nearest clusters."""
    tree, total = clusters_document(job), max(1, sum(shown.tiles))
    nearest, labels = nearest_clusters(job, shown), numbering_of(job, tree).numbers
    sizes = [_tile_size(job, job.slides[slide]) for slide in shown.slides]
    size_of = np.array(sizes) @ np.array(list(shown.slides.values())).reshape(len(sizes), -1)
    unit = _unit(next(iter(job.slides.values())))
    rows: list[dict[str, Cell]] = []
    for at, (number, name, colour, tiles) in enumerate(
        zip(shown.numbers, shown.names, shown.colours, shown.tiles, strict=True)
    ):
        parent = tree.parents[labels.index(number)]
        row: dict[str, Cell] = {
            "cluster": number,
            "name": name,
            "colour": hexadecimal(colour),
            "into": shown.into.get(number, ""),
            "splits from": labels[parent - 1] if parent else "",
            "tiles": tiles,
            "share": round(tiles / total, 6),
            unit: round(float(size_of[at]), 6),
        }
        for column in NEAREST_COLUMNS:
            row |= {column: "", f"{column} distance": ""}
        for column, near in zip(NEAREST_COLUMNS, nearest.get(number, ()), strict=False):
            row |= {column: near.number, f"{column} distance": round(near.distance, 3)}
        rows.append(row)
    return rows

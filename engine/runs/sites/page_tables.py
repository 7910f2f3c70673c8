"""page_tables: the tables of the report of a run that names sites."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....stores.frame import Array
from ...pipeline.job import Job
from ...show.page import Column, Table
from .check_maps import mean_of
from .documents import Evaluation, Explanations
from .folds import cohort_of


def methods_table(document: Evaluation) -> Table:
    """Accuracy of the network beside the simpler methods."""
    columns = (Column("method"), Column("accuracy", "number"), Column("95 % interval"), Column("balanced", "number"))
    rows = [(n, f.accuracy, f"{f.low:.3f} to {f.high:.3f}", f.balanced) for n, f in document.methods.items()]
    rows.append(("the most frequent site, always", document.majority, "", 1 / len(document.sites)))
    return Table(columns, tuple(rows))


def shuffled_table(document: Evaluation) -> Table:
    """Accuracy with shuffled sites, by method."""
    columns = (
        Column("method"),
        Column("shuffles", "number"),
        Column("accuracy"),
        Column("p of the true sites", "number"),
    )
    rows = [(s.method, s.draws, _spread(s.mean, s.sd), s.p) for s in document.shuffled]
    return Table(columns, tuple(rows))


def confusion_table(document: Evaluation) -> Table:
    """Counts: rows are the true sites."""
    columns = (Column("site"), *(Column(f"named {name}", "number") for name in document.sites))
    rows: list[tuple[str | int, ...]] = [
        (name, *row) for name, row in zip(document.sites, document.confusion, strict=True)
    ]
    return Table(columns, tuple(rows))


def headers_table(document: Evaluation) -> Table:
    """The most frequent matrix and voxel size of each site."""
    return Table((Column("site"), Column("most frequent matrix and voxel size")), tuple(document.headers.items()))


def checks_table(explanations: Explanations) -> Table:
    """Means over images: where maps lie, and how like they are to those of random weights."""
    maps, checks = explanations.maps, explanations.checks
    rows = [
        ("share of the evidence inside the head or tissue", mean_of([m.head for m in maps]), len(maps)),
        ("share inside the brain", mean_of([m.brain for m in maps]), sum(m.brain is not None for m in maps)),
        ("likeness to the map of a random last layer", mean_of([c.last_layer for c in checks]), len(checks)),
        ("likeness to the map of random weights", mean_of([c.all_layers for c in checks]), len(checks)),
    ]
    known = tuple(row for row in rows if math.isfinite(row[1]))
    caption = "likeness: rank correlation over cells, 1 = the same map; near 0 is as it should be"
    return Table((Column("figure"), Column("mean", "number"), Column("images", "number")), known, caption=caption)


def misnamed_table(job: Job[Any], document: Evaluation, values: Array) -> Table:
    """The judged images of which another site was named."""
    sites, rows = cohort_of(job).sites, []
    for record, site, row in zip(job.slides.values(), sites, values, strict=True):
        if site < 0 or not np.isfinite(row).all() or int(row.argmax()) == site:
            continue
        named = int(row.argmax())
        rows.append((record.name, record.subject, document.sites[site], document.sites[named], float(row[named])))
    names = ("image", "subject", "site", "named")
    return Table((*map(Column, names), Column("probability", "number")), tuple(rows))


def _spread(mean: float | None, sd: float | None) -> str:
    return f"{mean:.3f}" + (f" ± {sd:.3f}" if sd is not None else "")

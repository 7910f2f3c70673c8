"""table: the table of tiles with their clusters, and the share of each cluster in each image."""

from __future__ import annotations

from ....stores.array import Written, written
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.spreadsheet import Cell, write_csv
from ...steps.table import TileLabel, write_tile_table
from .documents import Clusters
from .number import clusters_document
from .settings import ClusterSettings

RESERVED = frozenset({"slide", "name", "site", "group", "tiles"})
"""Own columns of shares.csv; the user's columns of these names get the prefix `csv `."""


def write_table(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Write the table of tiles with their clusters, and shares.csv."""
    document = clusters_document(job)
    label = TileLabel("clusters", "cluster", len(document.order), fields=("confidence",))
    outcome = write_tile_table(job, unit, label)
    with outcome.clock("write"):
        outcome.files.append(write_shares(job, document))
    return outcome


def write_shares(job: Job[ClusterSettings], document: Clusters) -> Written:
    """Write shares.csv: one row per image, with its number of tissue tiles and the share of each cluster."""
    rows: list[dict[str, Cell]] = []
    for slide, counts in document.slides.items():
        record, total = job.slides[slide], sum(counts)
        list_columns = {f"csv {k}" if k in RESERVED else k: v for k, v in record.columns.items()}
        shares: dict[str, Cell] = {
            f"cluster {i}": round(n / total, 6) if total else "" for i, n in enumerate(counts, 1)
        }
        identity: dict[str, Cell] = {"slide": slide, "name": record.name, "site": record.site, "group": record.subject}
        rows.append({**identity, **list_columns, "tiles": total, **shares})
    path = job.folder.out / "shares.csv"
    write_csv(path, rows)
    return written(path)

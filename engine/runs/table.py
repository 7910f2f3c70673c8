"""table: one row a tile, as AnnData, with the UMAP of its embeddings; and the clusters' shares per slide as CSV.

Up to two million tiles stand in the table; beyond that a sample of them, balanced over slides. The layers are the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...stores.array import Written, written
from ...stores.frame import Array
from ...stores.image import StoredImage
from ...stores.tables import write_table
from ..job import Job, Unit
from ..run import Outcome
from ..show.spreadsheet import write_csv
from .apply import clusters_document
from .sample import balance

MOST = 2_000_000
RESERVED = frozenset({"slide", "name", "site", "group", "tiles"})
"""Columns of shares.csv; a CSV's own columns of these names get another."""
UMAP_SAMPLE = 4_000
"""Tiles that the UMAP is fitted on; all others are placed among them."""


class Table:
    """Gather every slide's tiles; fit the UMAP on a sample balanced over slides; write the table and the shares."""

    name = "table"
    fields = ("umap",)

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, self.name)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        import anndata
        import pandas as pd

        outcome = Outcome()
        document = clusters_document(job)
        slides = list(job.slides)
        with outcome.clock("read"):
            wanted = balance([sum(document["slides"][s]) for s in slides], [""] * len(slides), MOST)
            parts = [tiles_of(job, s, most=n) for s, n in zip(slides, wanted, strict=True)]
            columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
            embedding = columns.pop("embedding")
        counts = [len(p["cluster"]) for p in parts]
        records = [job.slides[s] for s in slides]
        obs = pd.DataFrame(
            {
                "slide": pd.Categorical(np.repeat(slides, counts), categories=slides),
                **columns,
                "cluster": pd.Categorical(columns["cluster"], categories=range(1, len(document["order"]) + 1)),
                "site": pd.Categorical(np.repeat([r.site for r in records], counts)),
                "group": pd.Categorical(np.repeat([r.group for r in records], counts)),
            }
        )
        obs.index = [f"{s}:{y}:{x}" for s, y, x in zip(obs["slide"], columns["row"], columns["column"], strict=True)]
        table = anndata.AnnData(X=embedding, obs=obs)
        table.obsm["spatial"] = np.stack([columns["x_um"], columns["y_um"]], 1)
        method = "none"
        if job.settings.umap and len(embedding) > 2:
            with outcome.clock("compute"):
                table.obsm["X_umap"], method = umap_of(job, embedding, counts)
        table.uns["tile_engine"] = {
            "patch_um": job.settings.patch * job.spacing,
            "stride_um": job.settings.step * job.spacing,
            "umap": method,
        }
        with outcome.clock("write"):
            outcome.files += write_table(job.folder.table, table)
            outcome.files.append(write_shares(job, document))
        outcome.facts.update(tiles=len(obs), umap=method)
        return outcome


def tiles_of(job: Job, slide: str, *, most: int) -> dict[str, Array]:
    """Columns of one slide's tiles: row and column on the tile grid, centre in um, cluster, confidence, embedding."""
    folder, record = job.folder, job.slides[slide]
    labels = StoredImage.open(folder.layer(slide, "clusters"))
    frame = labels.frames[0]
    cluster = labels.read(frame.box)[0]
    row, column = np.nonzero(cluster)
    if len(row) > most:
        generator = np.random.default_rng([job.settings.seed, 2, list(job.slides).index(slide)])
        chosen = np.sort(generator.choice(len(row), most, replace=False))
        row, column = row[chosen], column[chosen]
    confidence = StoredImage.open(folder.layer(slide, "confidence")).read(frame.box)[0]
    embedding = StoredImage.open(folder.layer(slide, "embedding")).read(frame.box)
    step = job.settings.step
    return {
        "row": row.astype(np.int32),
        "column": column.astype(np.int32),
        "y": (row * step).astype(np.int64),
        "x": (column * step).astype(np.int64),
        "y_um": record.origin[0] + (row + 0.5) * frame.spacing[0],
        "x_um": record.origin[1] + (column + 0.5) * frame.spacing[1],
        "cluster": cluster[row, column].astype(np.int32),
        "confidence": confidence[row, column],
        "embedding": np.ascontiguousarray(embedding[:, row, column].T),
    }


def umap_of(job: Job, embedding: Array, counts: list[int]) -> tuple[Array, str]:
    """Every tile in the plane: a sample balanced over slides is laid out, each other tile is placed by itself."""
    from ...models.projection import fit_umap, place

    generator = np.random.default_rng([job.settings.seed, 3])
    wanted = balance(counts, [""] * len(counts), UMAP_SAMPLE)
    starts = np.cumsum([0, *counts[:-1]])
    chosen = [
        s + np.sort(generator.choice(n, k, replace=False)) for s, n, k in zip(starts, counts, wanted, strict=True)
    ]
    projection = fit_umap(embedding[np.concatenate(chosen).astype(int)].astype(np.float32), seed=job.settings.seed)
    return place(embedding.astype(np.float32), projection), projection.method


def write_shares(job: Job, document: dict[str, Any]) -> Written:
    """shares.csv: a row a slide, with tissue tiles and each cluster's share of them."""
    rows = []
    for slide, counts in document["slides"].items():
        record, total = job.slides[slide], sum(counts)
        told = {f"csv {k}" if k in RESERVED else k: v for k, v in record.extra.items()}
        shares = {f"cluster {i}": round(n / total, 6) if total else "" for i, n in enumerate(counts, 1)}
        rows.append(
            {
                "slide": slide,
                "name": record.name,
                "site": record.site,
                "group": record.group,
                **told,
                "tiles": total,
            }
            | shares
        )
    path = job.folder.out / "shares.csv"
    write_csv(path, rows)
    return written(path)

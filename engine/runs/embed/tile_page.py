"""tile_page: the report of a run that describes tiles without clustering them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ....stores.array import written
from ....stores.tables import read_table
from ...pipeline.documents import read_run, rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show import run_sections
from ...show.page import Image, ReportPage, Section
from ...show.report import write_report
from ...show.tile_plane import TilePoints, umap_plot
from ...show.training_curves import training_curves
from ...steps.report import AUTOENCODER, closing_sections, facts_of, histories_of, slide_rows
from ...steps.settings import TileSettings


def write_tile_page(job: Job[TileSettings], unit: Unit) -> Outcome:
    """The tiles in the plane, how training went, and what was looked at."""
    outcome = Outcome()
    with outcome.clock("read"):
        table = read_table(job.folder.table)
    maps = job.folder.out / "maps"
    owner = table.obs["slide"].cat.codes.to_numpy()
    counts = np.bincount(owner, minlength=len(job.slides))[None]
    made: dict[str, Path] = {}
    with outcome.clock("compute"):
        if "X_umap" in table.obsm:
            names = tuple(r.name for r in job.slides.values())
            points = TilePoints(np.asarray(table.obsm["X_umap"]), np.zeros(len(owner), int), owner, names)
            made["umap"] = umap_plot(maps / "umap.png", points, seed=job.settings.seed)
        made["training"] = training_curves(maps / "training.png", histories_of(job, [AUTOENCODER]))
    run = read_run(job.folder)
    rejected = rejected_rows(job.folder)
    body = []
    if "umap" in made:
        body.append(Section("Tiles in the plane", figures=(Image(made["umap"], "All tiles laid out by UMAP"),)))
    rows = [replace(row, shares=()) for row in slide_rows(job, counts)]
    body.append(run_sections.slides_section(rows, noun=job.modality.name))
    body += closing_sections(job, unit, training=made["training"])
    page = ReportPage(
        title=f"Tiles of {Path(run.input).name}",
        subtitle="Every tile as a vector: tables/tiles.zarr, and layers/embedding of each image.",
        facts=facts_of(job, tiles=len(owner), rejected=len(rejected)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}.",
    )
    with outcome.clock("write"):
        made["report"] = write_report(job.folder.report, page)
    outcome.files += [written(path) for path in made.values()]
    return outcome

"""tile_report: the report of runs whose table has one row per tile and no clusters; a run adds its own sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...stores.array import written
from ...stores.frame import Array
from ...stores.tables import read_table
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_rejected
from ..pipeline.job import Job
from ..pipeline.outputs import pictures, report_files
from ..pipeline.step import Step, once
from ..pipeline.unit import Outcome, Unit
from ..show import run_sections
from ..show.page import Image, ReportPage, Section
from ..show.tile_plane import TilePoints, plane_caption, umap_plot
from ..show.training_curves import training_curves
from .apply import looked_at
from .layouts import layout_in
from .report import AUTOENCODER, closing_sections, facts_of, histories_of, name_of, slide_rows
from .report_files import write_report_files
from .settings import PatchSettings
from .table import sampled_section

Sections = Callable[[Job[Any], Any], Sequence[Section]]
"""(job, table of tiles as AnnData) -> the sections that a run adds to its report."""


def report_step(subtitle: str, images: str, sections: Sections = lambda job, table: ()) -> Step:
    """The step that writes the report of a run on `images` with a table of tiles; `sections` come first."""
    execute = partial(write_tile_report, subtitle=subtitle, sections=sections)
    return Step("report", "report", execute, once, outputs=(*report_files(images), *pictures("umap", "training")))


def write_tile_report(job: Job[PatchSettings], unit: Unit, *, subtitle: str, sections: Sections) -> Outcome:
    """Write the report: the run's own sections, the UMAP, the images, the closing sections."""
    outcome = Outcome()
    with outcome.clock("read"):
        table = read_table(job.folder.table)
    with outcome.clock("compute"):
        paths = _pictures(job, table)
        page = _page(job, unit, table, paths=paths, subtitle=subtitle, sections=sections(job, table))
    with outcome.clock("write"):
        files = write_report_files(job, page, counts=_tile_counts(job))
    outcome.files += [written(path) for path in (*paths.values(), *files)]
    return outcome


def _pictures(job: Job[PatchSettings], table: Any) -> dict[str, Path]:
    """Draw the UMAP, if the table has one, and the training curves, if there are any."""
    maps, paths = job.folder.out / "maps", {}
    if found := layout_in(table):
        owner = _owners(table)
        names = tuple(r.name for r in job.slides.values())
        points = TilePoints(found[0], np.zeros(len(owner), int), owner, names, found[1], job.modality.noun)
        paths["umap"] = umap_plot(maps / "umap.png", points, seed=job.settings.seed)
    if histories := histories_of(job, [AUTOENCODER]):
        paths["training"] = training_curves(maps / "training.png", histories)
    return paths


def _page(
    job: Job[PatchSettings],
    unit: Unit,
    table: Any,
    *,
    paths: dict[str, Path],
    subtitle: str,
    sections: Sequence[Section],
) -> ReportPage:
    run, counts = read_run(job.folder), _tile_counts(job)
    rows = [replace(row, shares=()) for row in slide_rows(job, counts)]
    body = [*sections, *sampled_section(job)]
    if found := layout_in(table):
        caption = plane_caption(found[1])
        body.append(Section("Tiles in the plane", figures=(Image(paths["umap"], caption),)))
    body.append(run_sections.slides_section(rows, noun=job.modality.name))
    body += closing_sections(job, unit, training=paths.get("training"))
    return ReportPage(
        title=f"Tiles of {name_of(job)}",
        subtitle=f"{int(counts.sum()):,} tiles of {len(rows)} {job.modality.plural} are in this run. {subtitle}",
        facts=facts_of(job, tiles=int(counts.sum()), rejected=len(read_rejected(job.folder))),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}.",
    )


def _tile_counts(job: Job[PatchSettings]) -> Array:
    """All tiles of each image, int64 (1, image); the table of a large cohort holds a sample of them."""
    return np.array([[looked_at(job, image) for image in job.slides]], np.int64)


def _owners(table: Any) -> Array:
    """Index of each tile's image."""
    owners: Array = table.obs["slide"].cat.codes.to_numpy()
    return owners

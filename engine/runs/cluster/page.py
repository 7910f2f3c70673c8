"""page: the cohort's pictures (gallery, UMAP, K curves, clusters by slide) and report.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ....stores.tables import read_table
from ...pipeline.documents import read_document, read_run, rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show import cluster_sections, run_sections
from ...show.cautions import cautions_of
from ...show.composition import cluster_by_slide
from ...show.k_curves import k_curves
from ...show.page import Caution, Image, ReportPage, Section
from ...show.patch_gallery import patch_gallery
from ...show.report import write_report
from ...show.tile_plane import TilePoints, umap_plot
from ...show.training_curves import training_curves
from ...steps.checkpoints import read_record
from ...steps.report import closing_sections, facts_of, histories_of, slide_rows
from ...steps.sample.read import read_patches
from .documents import CLUSTERER, TRAINED, VALIDITY, ClustererRecord, Validity
from .number import clusters_document
from .settings import ClusterSettings

NEAREST = 10
"""Patches that the gallery shows per cluster."""


def write_page(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Draw the cohort's pictures and write the report, from the results of the other steps."""
    outcome = Outcome()
    with outcome.clock("read"):
        table = read_table(job.folder.table)
        patches = nearest_patches(job, table)
    maps = job.folder.out / "maps"
    document = clusters_document(job)
    legend = [(i, f"cluster {i}", share) for i, share in enumerate(document.shares, 1)]
    validity = read_document(job.folder, VALIDITY, Validity)
    scores = scores_of(validity)
    counts = np.array([document.slides[s] for s in job.slides], np.int64).reshape(len(job.slides), -1).T
    names = [r.name for r in job.slides.values()]
    with outcome.clock("compute"):
        pictures = {"gallery": patch_gallery(maps / "gallery.png", patches, legend=legend, spacing=job.spacing)}
        if "X_umap" in table.obsm:
            slide = table.obs["slide"].cat.codes.to_numpy()
            cluster = table.obs["cluster"].astype(int).to_numpy()
            points = TilePoints(np.asarray(table.obsm["X_umap"]), cluster, slide, tuple(names))
            pictures["umap"] = umap_plot(maps / "umap.png", points, legend=legend, seed=job.settings.seed)
        if len({s["k"] for s in scores}) > 1:
            pictures["k"] = k_curves(maps / "k.png", scores, ranks=validity.ranks, recommended=validity.k)
        pictures["slides"] = cluster_by_slide(maps / "slides.png", counts, names=names, legend=legend)
        pictures["training"] = training_curves(maps / "training.png", histories_of(job, TRAINED))
    page = report_page(job, unit, counts=counts, legend=legend, pictures=pictures)
    with outcome.clock("write"):
        pictures["report"] = write_report(job.folder.report, page)
    outcome.files += [written(path) for path in pictures.values()]
    return outcome


def nearest_patches(job: Job[ClusterSettings], table: Any) -> dict[int, Array]:
    """Cluster -> patches of the tiles with embeddings nearest to the cluster's mean, uint8 (n, y, x, 3)."""
    embedding = np.asarray(table.X, np.float32)
    cluster = table.obs["cluster"].astype(int).to_numpy()
    slide = table.obs["slide"].astype(str).to_numpy()
    halo = (job.settings.patch - job.settings.step) // 2
    axes = job.modality.axes
    places = np.stack([table.obs[axis] for axis in axes], 1) - halo
    out: dict[int, Array] = {}
    for label in np.unique(cluster):
        members = np.flatnonzero(cluster == label)
        distance = np.linalg.norm(embedding[members] - embedding[members].mean(0), axis=1)
        rows = members[np.argsort(distance, kind="stable")[:NEAREST]]
        patches = np.empty((len(rows), job.settings.patch, job.settings.patch, 3), np.uint8)
        for owner in dict.fromkeys(slide[rows]):
            indices = np.flatnonzero(slide[rows] == owner)
            patches[indices] = _as_pictures(read_patches(job.image(owner), places[rows[indices]], job.settings.patch))
        out[int(label)] = patches
    return out


def _as_pictures(patches: Array) -> Array:
    """Patches (n, c, y, x) of any integer type -> uint8 (n, y, x, 3); of cubes, the middle axial plane, anterior up."""
    if patches.ndim == 5:
        patches = (patches[:, :, patches.shape[2] // 2, ::-1] >> 8).astype(np.uint8)
    if patches.dtype != np.uint8:
        patches = (patches / max(float(patches.max()), 1.0) * 255).astype(np.uint8)
    colours = patches[:, :3] if patches.shape[1] >= 3 else np.repeat(patches[:, :1], 3, 1)
    return np.ascontiguousarray(colours.transpose(0, 2, 3, 1))


def scores_of(validity: Validity) -> list[dict[str, Any]]:
    """The validity table as rows {k, seed, index, value}; rows without a value are left out."""
    return [
        {"k": r.clusters, "seed": r.seed, "index": r.index, "value": r.value}
        for r in validity.indices
        if r.value is not None
    ]


def report_page(
    job: Job[ClusterSettings], unit: Unit, *, counts: Array, legend: Any, pictures: dict[str, Path]
) -> ReportPage:
    """Content of the report: maps first, then clusters, then the run."""
    folder, run = job.folder, read_run(job.folder)
    validity = read_document(folder, VALIDITY, Validity)
    scores, guards = scores_of(validity), read_record(job, CLUSTERER, ClustererRecord).guards
    names = [r.name for r in job.slides.values()]
    rejected = rejected_rows(folder)
    cautions = list(cautions_of(counts, best=validity.best, effective=guards.after.effective))
    if not guards.fine_tuned:
        cautions.append(
            Caution("Fine-tuning made the clusters collapse.", "The maps show the clusters from before fine-tuning.")
        )
    detail = "{}.geojson for QuPath and density maps lie" if job.modality.planar else "density maps lie"
    maps = [
        Image(folder.map(slide), record.name, f"{detail.format(slide)} beside it in maps/")
        for slide, record in job.slides.items()
    ]
    facts = facts_of(job, tiles=int(counts.sum()), rejected=len(rejected), clusters=len(counts))
    noun = job.modality.noun
    figures = {
        "gallery": ("The patches nearest to each cluster's centre", "What the clusters look like"),
        "umap": ("All tiles laid out by UMAP", "Tiles in the plane"),
    }
    body = [cluster_sections.maps_section(maps, noun=noun)]
    body += [
        Section(heading, figures=(Image(pictures[key], caption),))
        for key, (caption, heading) in figures.items()
        if key in pictures
    ]
    density = [Image(folder.map(s, "density"), r.name) for s, r in job.slides.items()]
    body.append(Section("Where each cluster is dense", figures=tuple(density)))
    body.append(cluster_sections.by_slide_section(counts, names=names, legend=legend, figure=pictures["slides"]))
    if scores:
        body.append(
            cluster_sections.k_section(scores, ranks=validity.ranks, recommended=validity.k, figure=pictures.get("k"))
        )
    body.append(run_sections.slides_section(slide_rows(job, counts), legend=legend, noun=job.modality.name))
    body += closing_sections(job, unit, training=pictures["training"])
    return ReportPage(
        title=f"Tissue clusters: {Path(run.input).name}",
        subtitle=validity.agreement,
        facts=facts,
        cautions=tuple(cautions),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Label images, thumbnails and slide properties were not read or kept.",
    )

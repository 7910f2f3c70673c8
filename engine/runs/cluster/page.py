"""page: the cohort's pictures (gallery, UMAP, K curves, clusters by slide) and report.html."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ...pipeline.documents import read_document, read_run
from ...pipeline.image_documents import rejected_rows
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show import cluster_sections, run_sections
from ...show.baselines_section import baselines_section
from ...show.cautions import cautions_of
from ...show.composition import cluster_by_slide
from ...show.figure import drawn_together
from ...show.nearest_section import nearest_section
from ...show.numbers import percent
from ...show.page import Caution, Image, ReportPage, Section
from ...show.palette import chosen_colours
from ...show.patch_gallery import PatchKinds, patch_gallery
from ...show.tile_plane import TilePoints, plane_caption, umap_plot
from ...steps.checkpoints import find_record, read_record
from ...steps.estimate import FEW, FEW_TILES
from ...steps.first_looks import CAUTIONS, kept_cautions
from ...steps.layouts import layout_in
from ...steps.normalization import target_of
from ...steps.report import closing_sections, facts_of, name_of, slide_rows
from ...steps.report_files import write_report_files
from ...steps.settings import SampledSettings
from ...steps.table import read_tiles, sampled_section
from ...steps.volumes.planes import axial, seen
from .cohort import cohort_sections
from .comparison import comparison_sections
from .curves import curves_of, scores_of
from .documents import FINE_TUNED, HEAD, KEPT_CENTRES, VALIDITY, FineTunedRecord, HeadRecord, Validity
from .gallery import gallery_tiles, shown_patches
from .glass import glass_cautions, glass_shares
from .layout import layout_record
from .levels import levels_view
from .nearest import nearest_clusters
from .settings import ClusterSettings
from .shown import ShownClusters, shown_clusters
from .stain_effects import stain_sections
from .stains import stain_cautions
from .tree import clusters_document, precision_text
from .verdict import collapsed_heads, explanation, headline

MUCH_UNLIKE = 0.05
"""Share of tiles unlike the training set, above which the report warns."""
GALLERY_CAPTION = (
    "Patches nearest to each cluster's centre, random ones, and those nearest to the border with another cluster; patches "
    "wholly of tissue come first, then those with tissue on at least 90 % of their area"
)
DENSITY_TEXT = "The share of each cluster among the tiles nearby, a panel a cluster, each up to its own peak."


def write_page(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Draw the cohort's pictures and write the report, from the results of the other steps."""
    outcome = Outcome()
    with outcome.clock("read"):
        table = read_tiles(job)
        shown, tree = shown_clusters(job), clusters_document(job)
        tiles = gallery_tiles(job, tree, table)
        patches, glass = shown_patches(job, tree, tiles, shown), glass_shares(tree, tiles, shown)
    with outcome.clock("compute"), chosen_colours(shown.colour_of):
        pictures = _pictures(job, shown, table, patches)
        page = replace(
            report_page(job, unit, shown=shown, pictures=pictures, glass=glass),
            levels=levels_view(job, shown, table, tiles),
        )
        files = write_report_files(job, page, counts=counts_of(job, shown), legend=shown.legend)
    outcome.facts[CAUTIONS] = kept_cautions(page.cautions)
    outcome.files += [written(path) for path in (*pictures.values(), *files)]
    return outcome


def _pictures(
    job: Job[ClusterSettings], shown: ShownClusters, table: Any, patches: dict[int, PatchKinds]
) -> dict[str, Path]:
    maps, legend = job.folder.out / "maps", shown.legend
    names = [r.name for r in job.slides.values()]
    works = {"gallery": partial(patch_gallery, maps / "gallery.png", patches, legend=legend, spacing=job.spacing)}
    if found := layout_in(table):
        slide = table.obs["slide"].cat.codes.to_numpy()
        cluster = table.obs["cluster"].astype(int).to_numpy()
        points = TilePoints(found[0], cluster, slide, tuple(names), found[1], job.modality.noun)
        works["umap"] = partial(umap_plot, maps / "umap.png", points, legend=legend, seed=job.settings.seed)
    counts, noun = counts_of(job, shown), job.modality.noun
    works["slides"] = partial(cluster_by_slide, maps / "slides.png", counts, names=names, legend=legend, noun=noun)
    return dict(zip(works, drawn_together(list(works.values())), strict=True))


def counts_of(job: Job[ClusterSettings], shown: ShownClusters) -> Array:
    """Tissue tiles (cluster, slide), int64."""
    return np.array([shown.slides[s] for s in job.slides], np.int64).reshape(len(job.slides), -1).T


def report_page(
    job: Job[ClusterSettings], unit: Unit, *, shown: ShownClusters, pictures: dict[str, Path], glass: dict[int, float]
) -> ReportPage:
    """Content of the report: maps first, then clusters, then the run. `glass` are `glass_shares`."""
    folder, run, noun = job.folder, read_run(job.folder), job.modality.noun
    validity = read_document(folder, VALIDITY, Validity)
    counts, legend, curves = counts_of(job, shown), shown.legend, curves_of(job, validity)
    names = [r.name for r in job.slides.values()]
    rejected = rejected_rows(folder)
    tissue = int(counts.sum())
    target = target_of(job)
    stains = (("stains", f"normalised to {target.slide} ({target.method})"),) if target else ()
    body = [cluster_sections.maps_section(_maps(job), noun=noun, seen="" if job.modality.planar else seen(job))]
    body += stain_sections(job, shown)
    body += comparison_sections(job)
    figures = {
        "gallery": (GALLERY_CAPTION + _smaller_patches(job) + _axial(job), "What the clusters look like"),
        "umap": (plane_caption(layout_record(job).method), "Tiles in the plane"),
    }
    body += [
        Section(heading, figures=(Image(pictures[key], caption),))
        for key, (caption, heading) in figures.items()
        if key in pictures
    ]
    body += sampled_section(job)
    body.append(nearest_section(nearest_clusters(job, shown), legend=legend))
    density = [Image(folder.map(s, "density"), r.name) for s, r in job.slides.items()]
    body.append(Section("Where each cluster is dense", (DENSITY_TEXT,), figures=tuple(density)))
    by_slide = cluster_sections.by_slide_section(
        counts, names=names, legend=legend, figure=pictures["slides"], noun=noun, glass=glass
    )
    body.append(by_slide)
    warnings, sections = cohort_sections(job, shown, counts)
    body += sections
    body.append(
        cluster_sections.k_section(
            scores_of(job, validity),
            comebacks=validity.rows,
            text=explanation(validity, noun),
            shown=shown.level,
            figure=curves.get("k"),
        )
    )
    if head := find_record(job, HEAD, HeadRecord):
        body.append(baselines_section(head.objective, validity.clusters, head.baselines))
    body.append(run_sections.slides_section(slide_rows(job, counts), legend=legend, noun=job.modality.plural))
    body += closing_sections(job, unit, training=curves["training"])
    return ReportPage(
        title=f"{'Tissue clusters' if job.modality.planar else 'Clusters'}: {name_of(job)}",
        subtitle=headline(validity, noun, shown.level),
        facts=(*facts_of(job, tiles=tissue, rejected=len(rejected), clusters=shown.level), *stains),
        cautions=(*warnings, *stain_cautions(job), *glass_cautions(glass, shown), *_cautions(job, counts)),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. {_not_kept(job)}",
    )


def _not_kept(job: Job[ClusterSettings]) -> str:
    if job.modality.planar:
        return "Label images, thumbnails and slide properties were not read or kept."
    return "Headers, names and private tags of the files were not kept."


def _smaller_patches(job: Job[ClusterSettings]) -> str:
    """What the outlines in the pictures are; empty where patches have one size."""
    smaller = " and ".join(str(side) for side in job.settings.sides[:-1])
    return f". The dashed square is the patch of {smaller} px, which a network of its own embeds" if smaller else ""


def _axial(job: Job[ClusterSettings]) -> str:
    """How patches of volumes are shown."""
    return "" if job.modality.planar else f". {axial(job).rstrip('.')}"


def _maps(job: Job[ClusterSettings]) -> list[Image]:
    return [Image(job.folder.map(slide), record.name) for slide, record in job.slides.items()]


def _cautions(job: Job[ClusterSettings], counts: Array) -> tuple[Caution, ...]:
    guards = read_record(job, FINE_TUNED, FineTunedRecord).guards
    has_collapsed = guards.after.collapsed and guards.kept != KEPT_CENTRES  # centres of rare kinds are small and sound
    effective = guards.after.effective if has_collapsed else None
    cautions = list(cautions_of(clusters_document(job).trained, effective=effective))
    if head := find_record(job, HEAD, HeadRecord):
        cautions += collapsed_heads(head)
    if guards.collapsed:
        cautions.append(Caution("Fine-tuning made the clusters collapse.", "The clusters are those from before it."))
    document = clusters_document(job)
    unlike = sum(document.unlike.values()) / max(1, int(counts.sum()))
    learns = isinstance(job.settings, SampledSettings)
    if learns and int(counts.sum()) < FEW_TILES:  # a hundredth of so few patches is none: all tiles are unlike them
        cautions.append(Caution(f"{int(counts.sum())} tiles are too few to tell kinds apart.", FEW))
    elif unlike > MUCH_UNLIKE:
        headline_text = f"{percent(unlike)} of the tiles are unlike those that the networks were trained on."
        text = "One in a hundred is expected. Their clusters are the nearest ones, and may be wrong: look at the maps."
        cautions.append(Caution(headline_text, text))
    if document.in_float32[0]:
        cautions.append(Caution(*precision_text(document)))
    return tuple(cautions)

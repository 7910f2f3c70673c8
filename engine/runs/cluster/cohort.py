"""cohort: what the clusters have to do with slides, stains, scanners and groups, as sections and warnings of the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....stores.cells import LabelCells
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...show.composition_section import composition_section
from ...show.dependence_cautions import dependence_cautions
from ...show.dependence_section import dependence_section
from ...show.groups_section import groups_section
from ...show.page import Caution, Section
from ...steps.cohort_columns import cohort_columns
from .settings import ClusterSettings
from .shown import ShownClusters

BOUND_COLUMNS = ("stain", "scanner", "site")
"""Columns of the list that a cluster may be bound to, beside the slide itself."""
MAX_COMPOSED = 200
"""Images whose composition gets intervals in the report; shares.csv has the shares of all."""


def cohort_sections(
    job: Job[ClusterSettings], shown: ShownClusters, counts: Array
) -> tuple[tuple[Caution, ...], list[Section]]:
    """Warnings for the first lines, and sections, from tissue tiles (cluster, image)."""
    from ....models.evaluation.bound import bound_clusters
    from ....models.evaluation.dependence import dependences

    names, seed = [r.name for r in job.slides.values()], job.settings.seed
    columns = cohort_columns(job.slides.values())
    found = dependences(counts, columns.values, subjects=columns.subjects, seed=seed, noun=job.modality.noun)
    where = {name: columns.values[name] for name in BOUND_COLUMNS if name in columns.values}
    found_bound = bound_clusters(counts, {**where, "slide": names})
    bound = tuple(replace(b, cluster=shown.numbers[b.cluster - 1]) for b in found_bound)
    noun = job.modality.noun
    sections = [dependence_section(found, bound, absent=columns.absent, others=first_of(columns.others), noun=noun)]
    if "group" in columns.values:
        from ....models.evaluation.groups import compare_groups

        compared = compare_groups(counts, columns.values["group"], subjects=columns.subjects, seed=seed)
        sections.append(groups_section(compared, names=shown.names, noun=job.modality.noun))
    if job.modality.planar:
        sections.append(_composition(job, shown, names))
    return dependence_cautions(found, bound, noun=job.modality.noun), sections


def _composition(job: Job[ClusterSettings], shown: ShownClusters, names: list[str]) -> Section:
    from ....models.evaluation.composition import composition

    rows, order = [], np.zeros(256, np.int64)  # number -> place in the legend, from 1
    order[list(shown.numbers)] = np.arange(1, shown.level + 1)
    for slide in list(job.slides)[:MAX_COMPOSED]:
        labels = LabelCells.open(job.folder.label(slide, "clusters")).read_all()
        rows.append(composition(order[labels[labels > 0]], np.argwhere(labels), clusters=shown.level))
    section = composition_section(rows, names=names[:MAX_COMPOSED], legend=shown.legend, noun=job.modality.noun)
    if len(names) <= MAX_COMPOSED:
        return section
    shown_of = f"Shown are the first {MAX_COMPOSED} of {len(names)} {job.modality.plural}"
    cut = f"{shown_of}; shares.csv has the shares of all, without intervals."
    return replace(section, text=(*section.text, cut))

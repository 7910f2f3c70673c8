"""page: the pictures and the report of a run that groups subjects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .....stores.array import written
from .....stores.frame import Array
from .....stores.tables import read_table
from ....pipeline.documents import read_document, read_run
from ....pipeline.image_documents import rejected_rows
from ....pipeline.job import Job
from ....pipeline.unit import Outcome, Unit
from ....show import cluster_sections
from ....show.associations_section import associations_section
from ....show.page import Column, Image, ReportPage, Section, Table
from ....steps.report import closing_sections, name_of
from ....steps.report_files import write_report_files
from ....steps.volumes.dataset import grid_of
from ....steps.volumes.plane_columns import not_drawn
from ....steps.volumes.planes import seen
from ..documents import VALIDITY, Validity
from .cases import Subjects, subjects_of
from .documents import ASSOCIATIONS, Groups, SubjectAssociations
from .pictures import draw_pictures, scores_of
from .settings import SubjectSettings
from .tree import group_of_subjects, groups_document, shown_level
from .verdict import cautions, explanation, headline


def write_page(job: Job[SubjectSettings], unit: Unit) -> Outcome:
    """Draw the pictures and write the report."""
    outcome = Outcome()
    groups, subjects = groups_document(job), subjects_of(job)
    with outcome.clock("read"):
        table = read_table(job.folder.out / "tables" / "subjects.zarr")
        validity = read_document(job.folder, VALIDITY, Validity)
    group = group_of_subjects(groups, shown_level(job, groups))
    with outcome.clock("compute"):
        drawn = draw_pictures(job, subjects, group, table, validity)
    with outcome.clock("write"):
        page = _page(job, unit, (subjects, group), groups, drawn)
        files = write_report_files(job, page)
    outcome.files += [written(path) for path in (*drawn[0].values(), *files)]
    return outcome


def _page(
    job: Job[SubjectSettings],
    unit: Unit,
    grouping: tuple[Subjects, Array],
    groups: Groups,
    drawn: tuple[dict[str, Path], float, tuple[str, ...]],
) -> ReportPage:
    subjects, _ = grouping
    pictures, limit, more = drawn
    run, validity = read_run(job.folder), read_document(job.folder, VALIDITY, Validity)
    found = read_document(job.folder, ASSOCIATIONS, SubjectAssociations)
    level, grid = shown_level(job, groups), grid_of(job)
    facts = (
        ("subjects", str(len(subjects))),
        ("volumes", str(len(job.slides))),
        ("rejected", str(len(rejected_rows(job.folder)))),
        ("groups", str(level) if level > 1 else "none"),
        ("compared by", _embedding(job)),
        ("volumes seen as", " × ".join(map(str, grid.shape)) + f" at {grid.spacing[0] / 1000:.3g} mm"),
    )
    body = [_means_section(job, level, pictures["groups"], limit), _levels_section(groups, level)]
    if "plane" in pictures:
        body.append(Section("Subjects in the plane", not_drawn(more), figures=(Image(pictures["plane"]),)))
    body.append(
        associations_section(
            found.columns, found.differences, left_out=found.left_out if level > 1 else (), notes=found.notes
        )
    )
    body.append(
        cluster_sections.k_section(
            scores_of(validity),
            comebacks=validity.rows,
            text=explanation(validity, len(subjects)),
            shown=level,
            heading="How many groups",
            figure=pictures.get("k"),
        )
    )
    body += closing_sections(job, unit, training=pictures.get("training"))
    return ReportPage(
        title=f"Groups of subjects: {name_of(job)}",
        subtitle=headline(validity, level),
        facts=facts,
        cautions=tuple(cautions(job, validity, found, len(subjects))),
        sections=tuple(body),
        footer=f"tile-engine {run.tile_engine}. Headers, names and private tags of the files were not kept.",
    )


def _embedding(job: Job[SubjectSettings]) -> str:
    if job.settings.embedding == "components":
        return "principal components of the volumes"
    return f"the network {job.settings.network}, trained to reconstruct"


def _means_section(job: Job[SubjectSettings], level: int, picture: Path, limit: float) -> Section:
    settings = job.settings
    aligned = "not aligned" if settings.align == "none" else f"aligned ({settings.align})"
    texts = [
        "Volumes as the network sees them: masked, scaled to their own range, on one grid, "
        f"{aligned}; a subject's volumes are averaged first.",
    ]
    if level > 1:
        texts.append(
            "Difference: the group's mean less that of all other subjects, in percent of a volume's intensity range, from blue "
            f"(−{100 * limit:.3g} %) to red (+{100 * limit:.3g} %), on the planes with most difference. The groups were made "
            "of these volumes: that they differ is no finding, where they do is."
        )
    if settings.align == "none":
        texts.append("Without --align, the size and the position of heads are part of what groups differ in.")
    texts.append(seen(job))
    return Section("What the groups look like", tuple(texts), figures=(Image(picture),))


def _levels_section(groups: Groups, level: int) -> Section:
    """Subjects of each group at every level of the tree."""
    levels = list(range(2, groups.finest + 1))
    counts = {k: np.bincount(group_of_subjects(groups, k), minlength=groups.finest + 1) for k in levels}
    head = (Column("Group"), Column("Splits from"), *(Column(f"of {k}", "number") for k in levels))
    rows = tuple(
        (
            f"group {n}",
            f"group {groups.parents[n - 1]}" if groups.parents[n - 1] else "",
            *(int(counts[k][n]) if n <= k else None for k in levels),
        )
        for n in range(1, groups.finest + 1)
    )
    text = (
        "Subjects of each group at every level. A group keeps its number where it is divided; levels finer than "
        "the recommended one do not come back, or were not tried. `tile-engine relabel OUT --k N` shows another level."
    )
    return Section("The tree of groups", (text,), tables=(Table(head, rows),) if levels else ())

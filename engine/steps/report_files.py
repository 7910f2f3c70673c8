"""report_files: report.html and what lies beside it in every run: summary.md, and the list of its images as CSV."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ...stores.frame import Array
from ..pipeline.image_documents import read_rejected, rejected_rows
from ..pipeline.job import Job
from ..pipeline.outputs import SUMMARY, list_name
from ..pipeline.record import Rejection
from ..show.legend import Legend
from ..show.page import ReportPage
from ..show.report import write_report
from ..show.run_sections import list_of_rejected, list_of_slides
from ..show.spreadsheet import Cell, write_csv
from ..show.summary import write_summary
from .films.index import film_index
from .first_looks import first_looks
from .list_columns import list_texts
from .mask_sheets import sheets_of
from .report import slide_rows

MAX_NAMES = 50_000
"""Names of images, or of files of films, among which long ones are shortened, at most: that takes a second."""


def write_report_files(
    job: Job[Any], page: ReportPage, *, counts: Array | None = None, legend: Legend = ()
) -> list[Path]:
    """Write the report, its summary and the list of the run's images; returns all files, with the pictures of masks it shows.

    `counts` are tiles (cluster, image), of clusters in the legend's order; None in runs without tiles.
    """
    folder = job.folder
    own = (name for record in job.slides.values() for name in ([f.name for f in record.films] or [record.name]))
    names = list(islice(own, MAX_NAMES)) + [one.name for one in read_rejected(folder).values()]
    page = replace(page, names=tuple(names), cautions=first_looks(job, page.cautions))
    return [
        write_report(folder.report, page),
        write_summary(folder.out / SUMMARY, page, folder.report.name),
        write_csv(folder.out / list_name(folder.images), _rows(job, counts, legend)),
        *sheets_of(page.sections),
    ]


def _rows(job: Job[Any], counts: Array | None, legend: Legend) -> list[dict[str, Cell]]:
    if any(record.films for record in job.slides.values()):
        return _film_rows(job)
    rows = list_of_slides(slide_rows(job, counts), rejected_rows(job.folder), legend=legend)
    records = list(job.slides.values())
    taken = {"subject", "site", "kind", *(name for row in rows for name in row)}
    listed = {f"list {name}" if name in taken else name: texts for name, texts in list_texts(records).items()}
    for i, (row, record) in enumerate(zip(rows, records, strict=False)):  # rejected ones come last
        row |= {"subject": record.subject, "site": record.site} | {name: texts[i] for name, texts in listed.items()}
    if job.modality.name != "sections":
        return rows
    kinds = ["block"] * len(job.slides) + [kind_of_rejected(one) for one in read_rejected(job.folder).values()]
    return [{"name": row["name"], "kind": kind, **row} for row, kind in zip(rows, kinds, strict=True)]


def kind_of_rejected(rejection: Rejection) -> str:
    """What a run on sections rejected: a section, or a block.

    Documents of earlier versions have no path: what was rejected on opening and has a fingerprint is taken for a section.
    """
    is_section = rejection.path or (rejection.step == "open" and rejection.fingerprint)
    return "section" if is_section else "block"


def _film_rows(job: Job[Any]) -> list[dict[str, Cell]]:
    """Every film, used or left out, by the index; and rejected files that the index does not have."""
    rejected = {str(row["name"]): row for row in list_of_rejected(rejected_rows(job.folder))}
    texts = film_index(job.folder).texts
    rows: list[dict[str, Cell]] = []
    for name, reason, label, subject, site in zip(
        *(texts[column].tolist() for column in ("name", "reason", "label", "subject", "site")), strict=True
    ):
        state: dict[str, Cell] = {"state": "left out" if reason else "used", "reason": reason or None}
        rows.append({"name": name, **state, **rejected.pop(name, {}), "label": label, "subject": subject, "site": site})
    return rows + list(rejected.values())

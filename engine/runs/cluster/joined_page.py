"""joined_page: OUT/report.html of stains that were clustered apart: what each run found, and where its report lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....version import VERSION
from ...pipeline.documents import StainRun, StainRuns, find_document, read_run
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...pipeline.outputs import SUMMARY, list_name
from ...show.page import Caution, Column, Image, Link, ReportPage, Section, Table
from ...show.report import write_report
from ...show.summary import write_summary
from ...steps.first_looks import cautions_in, first_looks, noted
from ...steps.report import origin_section
from ...steps.stain import WHY_UNTOLD, untold_names
from .documents import VALIDITY, Validity
from .shown import shown_clusters
from .verdict import headline

MAX_NAMED = 20
"""Slides of a stain that the page names."""
MAX_ANSWERS = 4
"""Stains whose results the page says first."""
MAX_MAPS = 4
"""Maps of a stain that the page shows; its own report has all."""
DECIDED = {
    "column": "Which {images} belong together is said by the column `stain` of the list of {images}.",
    "pixels": "Which slides belong together was told by their colours, as the list of slides has no column `stain`. If that is "
    "wrong, name the stains in such a column, or give --stains together, which clusters all slides in one run.",
}


def write_joined_page(out: Path, stains: StainRuns, jobs: Mapping[str, Job[Any]], *, images: str = "slides") -> None:
    """Write OUT/report.html; `jobs` has those of the runs that have begun, by the name of their folder.

    `images` is what the files are called: slides or sections.
    """
    finished = sum(_is_done(jobs.get(run.folder)) for run in stains.runs)
    columns = (Column("Stain"), Column(images.capitalize(), "number"), Column("Result"))
    rows = tuple((run.name, len(run.slides), _verdict(run, jobs.get(run.folder))) for run in stains.runs)
    text = (
        DECIDED[stains.decided].format(images=images),
        "Clusters of one stain have nothing to do with those of another that have its number.",
    )
    page = ReportPage(
        title=f"Tissue clusters, stain by stain: {out.name or Path(stains.input).name}",
        subtitle=_answer(stains, jobs),
        facts=(
            ("stains", str(len(stains.runs))),
            (images, str(sum(len(run.slides) for run in stains.runs))),
            ("runs finished", f"{finished} of {len(stains.runs)}"),
        ),
        cautions=(*_unfinished(stains, jobs), *_cautions(stains), *_of_runs(stains, jobs)),
        sections=(
            Section("Stains", text, tables=(Table(columns, rows),)),
            *(_section(out, run, jobs.get(run.folder), images) for run in stains.runs),
            origin_section(out, "cluster", _made_by(jobs), _lists(stains, jobs)),
        ),
        footer=f"tile-engine {VERSION}.",
        names=tuple(slide.name for run in stains.runs for slide in run.slides.values()),
    )
    write_report(out / "report.html", page)
    write_summary(out / SUMMARY, page, "report.html")


def _answer(stains: StainRuns, jobs: Mapping[str, Job[Any]]) -> str:
    """What each stain's run found, in a sentence each."""
    found = [f"{run.name}: {_verdict(run, jobs.get(run.folder))}" for run in stains.runs[:MAX_ANSWERS]]
    more = f" The table has {len(stains.runs) - MAX_ANSWERS} more." if len(stains.runs) > MAX_ANSWERS else ""
    return f"{len(stains.runs)} stains, each clustered in a run of its own. {' '.join(found)}{more}"


def _unfinished(stains: StainRuns, jobs: Mapping[str, Job[Any]]) -> Iterator[Caution]:
    left = [run.name for run in stains.runs if not _is_done(jobs.get(run.folder))]
    if left:
        yield Caution(f"{len(left)} of {len(stains.runs)} runs are not finished.", f"{first_of(left, MAX_NAMED)}.")


def _of_runs(stains: StainRuns, jobs: Mapping[str, Job[Any]]) -> Iterator[Caution]:
    """What was warned of before the runs, and what the report of each run says first."""
    for text in stains.warnings:
        yield noted(text)
    for run in stains.runs:
        job = jobs.get(run.folder)
        for one in first_looks(job, cautions_in(job)) if job else ():
            yield Caution(f"{run.name}: {one.headline}", one.text)


def _section(out: Path, run: StainRun, job: Job[Any] | None, images: str) -> Section:
    names = [slide.name for slide in run.slides.values()]
    text = (_verdict(run, job), f"{images.capitalize()}: {first_of(names, MAX_NAMED)}.")
    if job is None or not job.folder.report.exists():
        return Section(run.name, text)
    maps = [(job.folder.map(i), record.name) for i, record in job.slides.items()]
    shown = tuple(Image(path, name) for path, name in maps[:MAX_MAPS])
    rest = f", with {len(maps) - len(shown)} more maps" if len(maps) > len(shown) else ""
    link = Link(job.folder.report, f"Report of {run.name}: {run.folder}/report.html{rest}")
    return Section(run.name, text, links=(link,), figures=shown)


def _made_by(jobs: Mapping[str, Job[Any]]) -> str:
    """Version, seed and device of the runs; of one of them, as one command makes all."""
    for job in jobs.values():
        run = read_run(job.folder)
        return f"tile-engine {run.tile_engine}; seed {run.settings['seed']}, device {run.settings['device']}"
    return f"tile-engine {VERSION}"


def _lists(stains: StainRuns, jobs: Mapping[str, Job[Any]]) -> tuple[Link, ...]:
    """Links to the list of each run's images, and to its summary."""
    begun = [(run.name, jobs[run.folder].folder) for run in stains.runs if run.folder in jobs]
    found = [(name, folder.out / file) for name, folder in begun for file in (list_name(folder.images), SUMMARY)]
    return tuple(Link(path, f"{name}: {path.name}") for name, path in found if path.exists())


def _verdict(run: StainRun, job: Job[Any] | None) -> str:
    """The first sentence of the run's report, or how far the run is."""
    if run.failure:
        return f"{run.failure[:1].upper()}{run.failure[1:]}"
    if job is None:
        return "Not begun: the same command goes on."
    validity = find_document(job.folder, VALIDITY, Validity)
    if validity is None or not _is_done(job):
        return "Not finished: the same command goes on."
    return headline(validity, job.modality.noun, shown_clusters(job).level)


def _is_done(job: Job[Any] | None) -> bool:
    return job is not None and read_run(job.folder).status == "done"


def _cautions(stains: StainRuns) -> tuple[Caution, ...]:
    if not stains.untold:
        return ()
    reasons = {WHY_UNTOLD[reason]: untold_names(stains, reason) for reason in WHY_UNTOLD}
    why = "; ".join(f"{first_of(names, MAX_NAMED)} ({reason})" for reason, names in reasons.items() if names)
    return (
        Caution(
            f"The stain of {len(stains.untold)} slides cannot be told by their colours.",
            f"They are clustered with {stains.largest.name}: {why}. A column `stain` in the list of slides says where they "
            "belong.",
        ),
    )

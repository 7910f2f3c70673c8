"""stain_folders: the runs in a folder of several stains, and the page that joins them, which follows their changes."""

from __future__ import annotations

from pathlib import Path

from ...errors import TileEngineError
from ...stores.folder import Folder
from ..pipeline.documents import StainRuns, find_run, find_stain_runs
from ..pipeline.job import Job
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings
from .load import load


def begun_jobs(out: Path, stains: StainRuns) -> dict[str, Job[RunSettings]]:
    """Folder of each run that has begun -> its job."""
    return {run.folder: load(out / run.folder) for run in stains.runs if find_run(Folder(out / run.folder))}


def join_again(run: Path, report: Report) -> None:
    """After work on one run: write the joined page anew, where the run is one of several stains. A page that cannot be written,
    as another of the runs is damaged, is reported; the work on this run is done all the same."""
    out = run.parent
    try:
        stains = find_stain_runs(Folder(out))
        if stains and run.name in {one.folder for one in stains.runs}:
            write_page(out, stains)
    except TileEngineError as error:
        text = f"{out / 'report.html'}, which joins the reports of all stains, was not written anew: {error.message}"
        report(Event("warning", text, facts={"code": error.code}))


def write_page(out: Path, stains: StainRuns) -> None:
    """Write OUT/report.html from what the runs hold now; nothing where none has begun."""
    jobs = begun_jobs(out, stains)
    apart = next(iter(jobs.values())).pipeline.apart if jobs else None
    if apart:
        apart.join(out, stains, jobs)

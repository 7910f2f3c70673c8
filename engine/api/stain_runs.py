"""StainRuns: the runs of a folder in which each stain was clustered on its own."""

from __future__ import annotations

from pathlib import Path

from ...stores.folder import Folder
from ..pipeline.documents import find_stain_runs
from ..runtime.apart import begun_jobs
from .run import Run


class StainRuns:
    """A folder with a run for each stain; each of `runs` is a complete `Run` with its own folder.

    `tile_engine.cluster` returns it in place of a `Run` where the slides are in several stains (setting `stains`).
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        stains = find_stain_runs(Folder(out))
        jobs = begun_jobs(out, stains) if stains else {}
        self.runs = {run.name: Run(out / run.folder) for run in stains.runs if run.folder in jobs} if stains else {}
        """Stain -> its run, for the runs that have begun."""
        self._count = len(stains.runs) if stains else 0

    def __repr__(self) -> str:
        return f"StainRuns({str(self.out)!r}, {', '.join(self.runs)}, {self.status})"

    @property
    def status(self) -> str:
        """`done` where every run is, else `running`: the same command resumes."""
        is_done = len(self.runs) == self._count and all(run.status == "done" for run in self.runs.values())
        return "done" if is_done else "running"

    @property
    def report(self) -> Path:
        """The page that joins the reports of the runs."""
        return self.out / "report.html"

    @property
    def exit_status(self) -> int:
        """The worst of the runs' exit statuses; 75 where one has not begun."""
        return max((run.exit_status for run in self.runs.values()), default=0) if self.status == "done" else 75

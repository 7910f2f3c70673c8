"""StainRuns: the runs of a folder in which each stain was clustered on its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...stores.folder import Folder
from ..pipeline.documents import find_stain_runs
from ..runtime.stain_folders import begun_jobs
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
        self._rest = tuple(run for run in stains.runs if run.name not in self.runs) if stains else ()
        self._failed = {run.name for run in stains.runs if run.failure} if stains else set()

    def __repr__(self) -> str:
        return f"StainRuns({str(self.out)!r}, {', '.join(self.runs)}, {self.status})"

    @property
    def status(self) -> str:
        """`done` where every run is, but those none of whose slides can be used; else `running`: the same command resumes."""
        is_done = all(run.status == "done" for name, run in self.runs.items() if name not in self._failed)
        return "done" if is_done and all(run.failure for run in self._rest) else "running"

    @property
    def report(self) -> Path:
        """The page that joins the reports of the runs."""
        return self.out / "report.html"

    @property
    def exit_status(self) -> int:
        """The worst of the runs' exit statuses; 4 where no slide of a stain can be used, 75 where a run is not done."""
        if self.status != "done":
            return 75
        done = [run.exit_status for name, run in self.runs.items() if name not in self._failed]
        return max([*done, 4 if self._failed else 0])

    def view(self, *, idle: float = 60.0, read_only: bool = False, ready: Callable[[str], None] | None = None) -> None:
        """Show all runs on a page of this machine's browser: see `Run.view`."""
        from .viewing import open_browser, serve

        serve(self.out, idle=idle, read_only=read_only, ready=ready or open_browser)

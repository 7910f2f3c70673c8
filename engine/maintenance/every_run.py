"""every_run: verify and repair of a folder, run by run: all runs of all stains, whatever becomes of one of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...errors import CorruptError, TileEngineError
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.remote import absolute
from ..pipeline.documents import StainRun, StainRuns, find_run, find_stain_runs
from ..runtime.options import RunOptions
from ..runtime.stain_folders import write_page
from ..workers.placement import ClusterOptions
from .repair import Repair, repair
from .verify import Found, Verdict, verify

T = TypeVar("T")
PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Failure:
    """A run of one stain that could not be looked at, or a part of the folder itself that is missing."""

    out: str
    code: str
    message: str
    exit_status: int


def verify_all(
    out: str | Path, *, full: bool = False, cluster: ClusterOptions | None = None, found: Found | None = None
) -> Iterator[Verdict | Failure]:
    """The verdict on the run in `out`, or on the run of each stain and on the page that joins them; see `verify`.

    Where `out` holds a run for each stain, the error of one is a Failure and does not stop the others.
    """
    folder = absolute(out)
    stains = find_stain_runs(Folder(folder))
    if stains is None:
        yield verify(folder, full=full, cluster=cluster, found=found)
        return
    yield from _each(folder, stains, lambda one: verify(one, full=full, cluster=cluster, found=found))
    if _has_lost_page(folder, stains):
        again = f"tile-engine repair {shlex.quote(str(folder))}"
        text = f"the page that joins the reports is missing or empty: `{again}` writes it again."
        yield Failure(str(folder / PAGE), CorruptError.code, text, CorruptError.exit_status)


def repair_all(out: str | Path, *, options: RunOptions) -> Iterator[Repair | Failure]:
    """The repair of the run in `out`, or of the run of each stain and of the page that joins them; see `verify_all`."""
    folder = absolute(out)
    stains = find_stain_runs(Folder(folder))
    if stains is None:
        yield repair(folder, options=options)
        return
    yield from _each(folder, stains, lambda one: repair(one, options=options))
    if _has_lost_page(folder, stains):
        with Lock(folder, force=options.force_unlock):
            write_page(folder, stains)


def _each(out: Path, stains: StainRuns, work: Callable[[Path], T]) -> Iterator[T | Failure]:
    for run in stains.runs:
        folder = out / run.folder
        try:
            if find_run(Folder(folder)) is None:
                yield _absent(folder, run)
                continue
            yield work(folder)
        except TileEngineError as error:
            yield Failure(str(folder), error.code, error.message, error.exit_status)


def _absent(folder: Path, run: StainRun) -> Failure:
    """A run that is not there: expected where no slide of its stain can be used, else never begun, or lost."""
    if run.failure:
        return Failure(str(folder), "E_NO_INPUT", run.failure, 0)
    text = f"the run of stain {run.name} is missing: it was not begun, or its run.json was lost. The same command makes it."
    return Failure(str(folder), CorruptError.code, text, CorruptError.exit_status)


def _has_lost_page(out: Path, stains: StainRuns) -> bool:
    """Whether the joined page is missing, although a run has begun."""
    try:
        has_page = (out / PAGE).stat().st_size > 0
    except FileNotFoundError:
        has_page = False
    return not has_page and any(find_run(Folder(out / run.folder)) for run in stains.runs)

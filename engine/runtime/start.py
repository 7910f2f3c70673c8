"""begin: a run from a user's words to its last step, whatever it is for and on.

What differs between images stands in one table: how they are found and opened, and what is said of the work before it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import MachineError, NoInputError, SettingsError
from ...stores import cache
from ...stores.files import free_bytes
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.remote import absolute, place
from ...stores.sweep import sweep
from ..api.run import Run
from ..images.modality import INPUT, Images
from ..images.opening import Opened, Rejection, uneven
from ..pipeline.job import Job
from ..pipeline.progress import Event, Report
from ..pipeline.spec import Kind
from ..runs import KINDS, kind_of
from ..steps.estimate import Estimate
from ..steps.settings import Common, Tiled, settings_of
from ..steps.volumes.estimate import Forecast
from ..workers.gang import refuse
from ..workers.pool import Crew, Where, crew
from ..workers.preflight import preflight
from .device_choice import STAGES as NETWORK
from .device_choice import with_device
from .load import load
from .logfile import log_to
from .loop import Going, run_stages
from .manifest import prepare, with_threads
from .options import How
from .output_folder import default_out, refuse_inside
from .signals import Stop, stoppable


def begin(kind: Kind, images: Images, out: str | Path | None, how: How, settings: Mapping[str, Any]) -> Run:
    """Begin a run, or go on with it where it stopped. Raises a TileEngineError where the whole run cannot go on."""
    folder = Folder(default_out(images) if out is None else absolute(out), kind.images)
    ways = INPUT[kind.images]
    wanted = settings_of(settings, kind.settings)
    cache.use(how.where.cache_dir, how.where.cache_limit)
    how.report(Event("start", str(folder.out)))
    cohort = ways.find(images, wanted)
    refuse_inside(folder.out, images, [e.path for e in cohort.entries])
    folder.claim()
    with Lock(folder.out, force=how.force_unlock), log_to(folder.out):
        wanted = with_threads(wanted, folder)
        opened = ways.open(cohort, wanted)
        _tell_opened(opened, how.report)
        if isinstance(wanted, Tiled) and kind.images == "volumes" and (text := uneven(opened)):
            how.report(Event("warning", text))
        if not opened.slides:
            raise NoInputError(_all_rejected(opened, kind.images))
        planned = _job(kind, folder, wanted, opened)
        kind.check(planned)
        plan = ways.plan(planned)
        how.report(Event("note", plan.text(), facts=plan.facts()))
        _room(folder, plan)  # before anything that is to be redone is removed
        with crew(how.where) as workers:  # before anything is removed: workers that cannot be had end it here
            refuse(wanted.gang, workers)
            rows = preflight(workers, folder.out, opened.slides.values(), how.report)
            if NETWORK & set(how.stages):
                wanted = with_device(wanted, folder, workers, rows, how.report)
            job = prepare(kind, folder, wanted, opened, redo=how.redo, stages=how.stages)
            return _go(job, how, workers)


def resume(out: str | Path, *, how: How, **settings: Any) -> Run:
    """Do some stages of the run that OUT holds, with the slides it began with; `settings` given here replace its own."""
    folder = Folder(absolute(out))
    run = folder.read("run")
    if "settings" not in run:
        raise SettingsError(
            f"{folder.out} holds no run. Begin one with `tile-engine convert SLIDES --out {folder.out}`.", "E_NO_RUN"
        )
    kind = KINDS[run["command"], run.get("images", "slides")]
    folder = replace(folder, images=kind.images)
    given = {k: v for k, v in settings.items() if v is not None}
    begun = run["settings"] if "device" not in given else {k: v for k, v in run["settings"].items() if k != "dtype"}
    wanted = settings_of({**begun, **given}, kind.settings)
    how.report(Event("start", str(folder.out)))
    with Lock(folder.out, force=how.force_unlock), log_to(folder.out):
        job = load(folder.out)
        cache.use(how.where.cache_dir, how.where.cache_limit)
        opened = Opened(
            job.spacing, _all_records(folder), _closed(folder), tuple(map(tuple, run["ignored"])), place(run["input"])
        )
        with crew(how.where) as workers:
            if "train" in how.stages:
                refuse(wanted.gang, workers)
            seen = job.slides.values() if job.pixels == "none" else ()
            rows = preflight(workers, folder.out, seen, how.report)
            if NETWORK & set(how.stages):
                wanted = with_device(wanted, folder, workers, rows, how.report)
            job = prepare(kind, folder, wanted, opened, redo=how.redo, stages=how.stages)
            return _go(job, how, workers)


def plan_only(
    kind: Kind, images: Images, out: str | Path | None, where: Where | None, settings: Mapping[str, Any]
) -> tuple[Path, Opened, Estimate | Forecast]:
    """What `begin` would do, without doing any of it: nothing is written but copies of slides that must be copied."""
    where = where or Where()
    cache.use(where.cache_dir, where.cache_limit)
    folder = Folder(default_out(images) if out is None else absolute(out), kind.images)
    ways = INPUT[kind.images]
    wanted = with_threads(settings_of(settings, kind.settings), folder)
    cohort = ways.find(images, wanted)
    refuse_inside(folder.out, images, [e.path for e in cohort.entries])
    opened = ways.open(cohort, wanted)
    if not opened.slides:
        raise NoInputError(_all_rejected(opened, kind.images))
    planned = _job(kind, folder, wanted, opened)
    kind.check(planned)
    return folder.out, opened, ways.plan(planned)


def _job(kind: Kind, folder: Folder, wanted: Common, opened: Opened) -> Job:
    return Job(folder, wanted, opened.spacing, opened.slides, {}, command=kind.command)


def _go(job: Job, how: How, workers: Crew) -> Run:
    folder = job.folder
    stop = Stop(tell=lambda text: how.report(Event("note", text)))
    with stoppable(stop):
        how.report(Event("note", f"working in {workers.text}"))
        job = run_stages(job, how.stages, Going(workers, how.report, stop, how.where.unit_timeout))
    run = folder.read("run")
    done = all(run["steps"].get(s.name, {}).get("status") == "complete" for s in kind_of(job).steps.values())
    folder.write("run", run | {"status": "done" if done else "running"})
    sweep(folder.out)
    how.report(Event("done", str(folder.out), facts={"report": str(folder.report), "complete": done}))
    return Run(folder.out)


def _all_records(folder: Folder) -> Any:
    from ..pipeline.record import record_of

    return {s: record_of(raw) for s, raw in folder.read("slides").items()}


def _closed(folder: Folder) -> dict[str, Rejection]:
    """Slides that could not be used when the run was begun: they stay rejected."""
    found = {s: Rejection(**raw) for s, raw in folder.read("rejected").items()}
    return {s: r for s, r in found.items() if r.step == "open"}


def _tell_opened(opened: Opened, report: Report) -> None:
    for name, reason in opened.ignored:
        logging.getLogger("tile_engine").info("ignored %s: %s", name, reason)
    for rejection in opened.rejected.values():
        report(Event("rejected", f"{rejection.name}: {rejection.message}", facts={"code": rejection.code}))
    noted: dict[str, list[str]] = {}
    for record in opened.slides.values():
        for note in record.notes:
            noted.setdefault(note, []).append(record.name)
    for note, names in noted.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        report(Event("warning", f"{names[0]}{more}: {note}"))


def _all_rejected(opened: Opened, images: str) -> str:
    lines = [f"  {r.name} [{r.code}]: {r.message}" for r in list(opened.rejected.values())[:10]]
    more = [f"  ... and {len(opened.rejected) - 10} more"] if len(opened.rejected) > 10 else []
    return "\n".join([f"none of the {len(opened.rejected)} {images} can be used:", *lines, *more])


def _room(folder: Folder, plan: Estimate | Forecast) -> None:
    free = free_bytes(folder.out)
    need = plan.disk - plan.present
    if need > free:
        raise MachineError(
            f"about {need / 1e9:.2f} GB will be written to {folder.out} and {free / 1e9:.2f} GB are free: the disk would "
            "fill up. Choose another --out"
            + (", a coarser --spacing, or --pixels none." if folder.images == "slides" else "."),
            "E_NO_ROOM",
        )

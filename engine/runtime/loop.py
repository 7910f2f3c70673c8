"""The loop: executes a run's steps in order, unit by unit, on its workers; skips units that have a valid receipt."""

from __future__ import annotations

import logging
import shlex
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from textwrap import indent
from typing import Literal

from ...errors import NoInputError, SettingsError
from ...stores.cache import with_cache_settings
from ..pipeline.documents import StepRecord, read_run, write_run
from ..pipeline.image_documents import read_quarantined, read_rejected, write_quarantined, write_rejected
from ..pipeline.job import Job
from ..pipeline.messages import rejection_messages
from ..pipeline.progress import Event, ProgressFile, Report
from ..pipeline.record import QuarantinedTile, Rejection, rejection_of_image
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from ..workers.pool import WorkerPool
from .beside import Followers, Leader, follower_of, forget_died
from .count import Count
from .dispatch import answers
from .load import load
from .manifest import update_rejected
from .meanwhile import done_meanwhile
from .perform import LEFT_OUT, NOTICES, Summary, perform
from .recorder import Recorder, about
from .signals import Stop
from .timing import Timing

log = logging.getLogger("tile_engine")


@dataclass(slots=True)
class RunContext:
    """State that all steps share during a run: workers, progress callback, stop flag and time limit."""

    pool: WorkerPool
    report: Report
    stop: Stop
    limit: float
    """Seconds that one unit of a slide may take on a worker."""
    timing: Timing | None = None
    """Forecast of the run's time, where it is told."""
    recorder: Recorder | None = None
    """Keeps warnings for the report; a repair has none, as its run has them."""


def run_stages(job: Job[RunSettings], stages: Iterable[str], context: RunContext) -> Job[RunSettings]:
    """Execute the steps of the named stages, without units that have a valid receipt.

    Raises SettingsError where an earlier stage is incomplete, NoInputError where every slide has been rejected.
    """
    timing, pace = context.timing, None
    if timing:
        pace = timing.pace(context.report)
        context = replace(context, report=pace)
    for stage in stages:
        _needs_before(job, stage)
        if timing and pace:
            forecast = timing.forecast(job)
            pace.expected, pace.unknown = forecast.seconds, forecast.unknown
        for step in job.pipeline.stages[stage]:
            job = _do(job, step, context)
            if not job.slides:
                raise NoInputError("no slide of this run can be used; rejected.json states the reason for each slide.")
    return job


def _do(job: Job[RunSettings], step: Step, context: RunContext) -> Job[RunSettings]:
    """Execute a step's remaining units, then update its record in run.json. Units are streamed, as there may be millions."""
    if context.recorder:
        context.recorder.write()
    count = (Count.of_receipts if step.follows else Count)(job, step)  # its progress was told already, and goes on
    is_here = context.pool.client is None
    follower = follower_of(job, step) if is_here else job.pipeline.follower(step)
    followers = Followers(job, step, follower)
    _mark(job, step.name, "running", count.seconds, begun=time.time())
    rejected_ids = set[str]()
    of_films = {r.image for r in read_rejected(job.folder).values() if r.image and r.step == step.name}
    initial_job, is_told = job, False

    def tell_of_follower() -> None:
        nonlocal is_told
        if follower:
            is_told = True
            context.report(count.event())
            context.report(Count.of_receipts(job, follower).event())

    def remaining_units() -> Iterator[Unit]:
        for unit in step.units(initial_job):
            if context.stop.requested:
                return
            receipt = count.receipt(unit)
            if receipt is None:
                if unit.slide not in rejected_ids:
                    yield unit
                continue
            followers.count(unit)
            if LEFT_OUT in receipt.facts and unit.slide not in of_films:  # killed before rejected.json named them
                _leave_out(job, step.name, unit.slide, receipt.facts[LEFT_OUT], context.report)
            if context.recorder:
                for text in receipt.facts.get(NOTICES, ()):
                    context.recorder.keep(text, _named(job, unit.slide), step.name)

    units = followers.among(remaining_units())
    beside = partial(done_meanwhile, mark=partial(_mark, job), report=context.report)
    context.report(count.event())
    with (
        watched(job, step, title=step.title, report=partial(written_at_once, context)) as noticed,
        beside(job, step, context.limit, lambda: not is_here or context.stop.requested),
        closing(answers_of(job, step, units, context, tell_of_follower)) as summaries,
    ):
        for summary in summaries:
            if summary.crashing:
                job = _quarantine(job, summary, partial(written_at_once, context))
            if summary.rejected:
                if summary.unit.slide not in rejected_ids:
                    rejected_ids.add(summary.unit.slide)
                    job = _reject(job, summary, context.report)
                continue
            if summary.left_out or summary.unit.slide in of_films:
                job = _leave_out(job, summary.unit.step, summary.unit.slide, summary.left_out, context.report)
            slide = summary.unit.slide
            names, own = _named(job, slide), {"slide": slide} if slide else {}
            for kind, texts in (("note", summary.notes), ("warning", summary.notices)):
                for text in texts:
                    if not slide and text in noticed:  # it was told while the unit was in progress
                        continue
                    noticed.update(() if slide else (text,))
                    facts = about(text, names, summary.unit.step, **own) if kind == "warning" else own
                    context.report(Event(kind, ": ".join((*names, text)), facts=facts))
            if summary.unit.step != step.name:
                continue
            followers.count(summary.unit)
            count.add(summary)
            context.report(count.event())
    context.stop.check()
    if not is_told:
        context.report(count.event())
    forget_died(job.folder.out, step.name)
    _mark(job, step.name, "complete", count.seconds, wall=count.wall)
    return load(job.folder.out)


def answers_of(
    job: Job[RunSettings],
    step: Step,
    units: Iterable[Unit],
    context: RunContext,
    wait: Callable[[], None] = lambda: None,
) -> Generator[Summary, None, None]:
    """The summary of each unit, executed by any free worker, or by a gang of workers if the step has ranks.

    `wait`: called where all units of the step are done, and one of the step that follows is not."""
    ranks = step.ranks(job) if step.ranks else 1
    if ranks == 1:
        return answers(
            job.folder.out, units, context.pool, context.limit, Leader(step.name, lambda: context.stop.requested, wait)
        )
    from ..workers.gang import train_gang

    device = "cuda" if job.settings.device == "cuda" else "cpu"
    works = (with_cache_settings(partial(perform, job.folder.out, unit)) for unit in units)
    return (train_gang(context.pool.client, work, ranks, device) for work in works)


@contextmanager
def watched(job: Job[RunSettings], step: Step, *, title: str, report: Report) -> Iterator[set[str]]:
    """While a step of one long unit runs, poll its progress file and report the progress; gives the notices that were told."""
    noticed = set[str]()
    if not step.progress:
        yield noticed
        return
    progress_file, stop = ProgressFile(job.folder.out), threading.Event()
    progress_file.path.unlink(missing_ok=True)

    def watch() -> None:
        more_to_come = True
        while more_to_come:
            more_to_come = not stop.wait(progress_file.every)  # once more at the end, for the notices of a short step
            progress = progress_file.look()
            if (notice := progress.get("notice")) and notice not in noticed:
                noticed.add(notice)
                log.warning("%s", notice)
                report(Event("warning", notice, facts=about(notice, (), step.name)))
            if more_to_come and "done" in progress:
                facts = {"steps": True, "share": progress["share"], **progress["figures"]}
                report(
                    Event(
                        "progress", title, job.pipeline.stage_of(step.name), progress["done"], progress["total"], facts
                    )
                )

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield noticed
    finally:
        stop.set()
        watcher.join()
        progress_file.path.unlink(missing_ok=True)


def written_at_once(context: RunContext, event: Event) -> None:
    """Report an event; a warning that no receipt has is written, as a killed run could not say it again."""
    context.report(event)
    if event.kind == "warning" and context.recorder:
        context.recorder.write()


def _reject(job: Job[RunSettings], summary: Summary, report: Report) -> Job[RunSettings]:
    record = job.slides[summary.unit.slide]
    code, message = summary.rejected or ("", "")
    log.warning(
        "rejected %s (%s) in %s: %s", record.name, code, summary.unit.step, indent(summary.detail, "  ").lstrip()
    )
    report(Event("rejected", f"{record.name}: {message}", facts={"code": code, "slide": record.id}))
    return update_rejected(job, record.id, rejection_of_image(record, code, message, summary.unit.step))


def _leave_out(
    job: Job[RunSettings], step: str, batch: str, films: Iterable[Iterable[str]], report: Report
) -> Job[RunSettings]:
    """Record films (id, name, code, message) of a batch that cannot be used; the batch goes on without them."""
    record = job.slides[batch]
    rejections = {
        film: Rejection(name, code, message, step, record.fingerprint, record.id) for film, name, code, message in films
    }
    for message in rejection_messages(rejections.values()):
        log.warning("rejected %s (%s): %s", message.images, message.code, message.reason)
        facts = {"code": message.code, "images": list(message.names)}
        report(Event("rejected", message.text, facts=facts))
    others = {i: r for i, r in read_rejected(job.folder).items() if (r.image, r.step) != (record.id, step)}
    write_rejected(job.folder, dict(sorted({**others, **rejections}.items())))
    return load(job.folder.out)


def _quarantine(job: Job[RunSettings], summary: Summary, report: Report) -> Job[RunSettings]:
    """Quarantine tiles that crash the process that decodes them: every later unit masks them."""
    record = job.slides[summary.unit.slide]
    quarantined = read_quarantined(job.folder)
    tiles = (*quarantined.get(record.id, ()), *(QuarantinedTile(*tile) for tile in summary.crashing))
    write_quarantined(job.folder, {**quarantined, record.id: tiles})
    text = f"{len(summary.crashing)} tiles crash the process that decodes them and are masked"
    log.warning("%s: %s (E_CRASHES_READER) in %s: %s", record.name, text, summary.unit.step, summary.crashing)
    facts = about(text, (record.name,), summary.unit.step, code="E_CRASHES_READER", slide=record.id)
    report(Event("warning", f"{record.name}: {text}", facts=facts))
    return load(job.folder.out)


def _named(job: Job[RunSettings], slide: str) -> tuple[str, ...]:
    """The name of a unit's image; of units of the whole cohort none."""
    return (job.slides[slide].name,) if slide in job.slides else ()


def _mark(
    job: Job[RunSettings],
    step: str,
    status: Literal["running", "complete"],
    seconds: dict[str, float],
    *,
    wall: float = 0.0,
    begun: float = 0.0,
) -> None:
    """Write the step's record in run.json; its wall time is summed over all attempts."""
    run = read_run(job.folder)
    previous = run.steps.get(step)
    if previous is not None and not any(seconds.values()):
        seconds = previous.seconds
    record = StepRecord(
        fingerprint=run.fingerprints[step],
        status=status,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        wall=round((previous.wall if previous else 0.0) + wall, 3),
        begun=round(begun, 3),
    )
    write_run(job.folder, run.with_step(step, record))


def _needs_before(job: Job[RunSettings], stage: str) -> None:
    run = read_run(job.folder)
    stages = job.pipeline.stages
    order = list(stages)
    for earlier in order[: order.index(stage)]:
        if not run.is_complete(step.name for step in stages[earlier]):
            raise SettingsError(
                f"stage {stage!r} needs the results of stage {earlier!r}, which is not complete in {job.folder.out}: run "
                f"`tile-engine {earlier} {shlex.quote(str(job.folder.out))}` first, or "
                f"`tile-engine run {job.pipeline.called}` for all of them.",
                "E_STAGE_ORDER",
            )

"""The loop: one step after another, unit by unit, through whatever does the work; receipts say what is left to do."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import MachineError, NoInputError, SettingsError, SlideError, TileEngineError, UnfinishedError
from ..stores.files import FULL
from ..stores.receipts import Ledger
from ..stores.slides.cohort import fingerprint
from .job import Job, Step, Unit, load
from .manifest import update_rejected
from .opening import Rejection
from .progress import Beacon, Event, Report
from .stages import STAGES, STEPS, TITLES, stage_of
from .workers import Crew

log = logging.getLogger("tile_engine")


@dataclass(frozen=True, slots=True)
class Summary:
    """What comes back from a unit: under 1 kB, whatever it wrote."""

    unit: Unit
    seconds: dict[str, float] = field(default_factory=dict)
    amount: int = 0
    """Pixels, patches or tiles that it went through."""
    rejected: tuple[str, str] | None = None
    """Reason code and message, where the unit's slide cannot be used."""
    detail: str = ""
    """For the log."""


def perform(out: Path, unit: Unit) -> Summary:
    """Do one unit wherever this runs, and leave its receipt. A slide's failure comes back as data."""
    job = load(out)
    step = STEPS[unit.step]
    try:
        if unit.slide:
            _unchanged(job, unit)
        outcome = step.execute(job, unit)
    except SlideError as error:
        if not unit.slide:
            raise
        return Summary(unit, rejected=(error.code, error.message), detail=error.message)
    except TileEngineError:
        raise
    except MemoryError as error:
        raise MachineError(
            f"memory ran out in step {unit.step!r} of {unit.name}: use fewer workers.", "E_MEMORY"
        ) from error
    except Exception as error:
        _no_fault_of_the_slide(error, out)
        if not unit.slide:
            raise
        # One slide's surprise must not end the others' work: it is recorded with its trace, and the run goes on.
        text = f"{type(error).__name__}: {error}"
        return Summary(
            unit,
            rejected=("E_UNIT_FAILED", f"{text} (see log.txt; --redo tries it again)"),
            detail=traceback.format_exc(),
        )
    ledger = Ledger(out, unit.step, job.ledger_key(unit.step, unit.slide))
    receipt = ledger.write(unit.name, outcome.files, seconds=outcome.seconds, facts=outcome.facts)
    return Summary(unit, dict(receipt.seconds), _amount(receipt.facts))


def run_stages(job: Job, stages: Iterable[str], crew: Crew, report: Report) -> Job:
    """Do the named stages' steps, as far as receipts do not say that they are done.

    Raises SettingsError where an earlier stage is missing, NoInputError where every slide came to be rejected.
    """
    for stage in stages:
        _needs_before(job, stage)
        for step in STAGES[stage]:
            job = _do(job, step, crew=crew, report=report)
            if not job.slides:
                raise NoInputError("no slide of this run can be used; rejected.json says why, slide by slide.")
    return job


def _do(job: Job, step: Step, *, crew: Crew, report: Report) -> Job:
    """All units of a step that are left, then the step's line in run.json."""
    began = time.perf_counter()
    title = TITLES[step.name]
    units = list(step.units(job))
    ledgers = {s: Ledger(job.folder.out, step.name, job.ledger_key(step.name, s)) for s in {u.slide for u in units}}
    seconds = {"read": 0.0, "compute": 0.0, "write": 0.0}
    done, amount, gone = 0, 0, set[str]()
    _mark(job, step.name, "running", seconds, wall=0.0)
    slides = {u.slide for u in units if u.slide}

    def left() -> Iterator[Unit]:
        nonlocal done
        for unit in units:
            receipt = ledgers[unit.slide].find(unit.name)
            if receipt is not None:
                done += 1
                for name, value in receipt.seconds.items():
                    seconds[name] += value
            elif unit.slide not in gone:
                yield unit

    def tell() -> None:
        facts = {"slides": len(slides), "amount": amount, "seconds": time.perf_counter() - began}
        report(Event("progress", title, stage_of(step.name), done, len(units), facts))

    tell()
    with _watched(job, step, title=title, report=report):
        for summary in crew.map(partial(perform, job.folder.out), left()):
            if summary.rejected:
                if summary.unit.slide not in gone:
                    gone.add(summary.unit.slide)
                    job = _reject(job, summary, report)
                continue
            done += 1
            amount += summary.amount
            for name, value in summary.seconds.items():
                seconds[name] += value
            tell()
    tell()
    _mark(job, step.name, "complete", seconds, wall=time.perf_counter() - began)
    return load(job.folder.out)


@contextmanager
def _watched(job: Job, step: Step, *, title: str, report: Report) -> Iterator[None]:
    """While a step of one long unit runs, look twice a second at how far its worker says it is."""
    if step.name not in ("autoencoder", "heads", "tune"):
        yield
        return
    beacon, stop = Beacon(job.folder.out), threading.Event()
    beacon.path.unlink(missing_ok=True)

    def watch() -> None:
        while not stop.wait(0.5):
            told = beacon.look()
            if told:
                facts = {"steps": True, **told["figures"]}
                report(Event("progress", title, stage_of(step.name), told["done"], told["total"], facts))

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        beacon.path.unlink(missing_ok=True)


def _reject(job: Job, summary: Summary, report: Report) -> Job:
    record = job.slides[summary.unit.slide]
    code, message = summary.rejected or ("", "")
    log.warning("rejected %s (%s) in %s: %s", record.name, code, summary.unit.step, summary.detail)
    report(Event("rejected", f"{record.name}: {message}", facts={"code": code, "slide": record.id}))
    rejection = Rejection(record.name, code, message, summary.unit.step, record.fingerprint)
    return update_rejected(job, record.id, rejection)


def _mark(job: Job, step: str, status: str, seconds: dict[str, float], *, wall: float) -> None:
    """The step's line in run.json; wall time adds up over the tries that it took."""
    run = job.folder.read("run")
    before = run["steps"].get(step, {})
    run["steps"][step] = {
        "fingerprint": run["fingerprints"][step],
        "status": status,
        "seconds": {
            k: round(v, 3) for k, v in (seconds if any(seconds.values()) else before.get("seconds", seconds)).items()
        },
        "wall": round(before.get("wall", 0.0) + wall, 3),
    }
    job.folder.write("run", run)


def _needs_before(job: Job, stage: str) -> None:
    steps = job.folder.read("run")["steps"]
    order = list(STAGES)
    for earlier in order[: order.index(stage)]:
        if any(steps.get(step.name, {}).get("status") != "complete" for step in STAGES[earlier]):
            raise SettingsError(
                f"stage {stage!r} needs what stage {earlier!r} leaves, and that is not there yet in {job.folder.out}: run "
                f"`tile-engine {earlier} {job.folder.out}` first, or `tile-engine run cluster` for all of them.",
                "E_STAGE_ORDER",
            )


def _unchanged(job: Job, unit: Unit) -> None:
    """A slide that is replaced while the run reads it would leave a store of two halves."""
    record = job.slides.get(unit.slide)
    if record is None:
        raise SlideError("it was rejected while this unit waited.", "E_REJECTED")
    reads = ("overview", "pixels", "tiles") if job.settings.pixels == "none" else ("overview", "pixels")
    if unit.step not in reads:  # the others read what is stored
        return
    try:
        now = fingerprint(Path(record.path))
    except (OSError, SlideError) as error:
        raise SlideError(
            f"it cannot be read any more ({error}). Bring it back and run again with --redo.", "E_CHANGED"
        ) from error
    if now != record.fingerprint:
        raise SlideError(
            "the file was changed while the run was reading it. Run again with --redo once it is settled.", "E_CHANGED"
        )


def _no_fault_of_the_slide(error: Exception, out: Path) -> None:
    """Raise what ends the run instead of rejecting one slide after another: a full or broken disk below OUT."""
    if not isinstance(error, OSError):
        return
    if error.errno in FULL:
        raise UnfinishedError(
            f"no room left for results in {out}: {error.strerror}. What was written is safe; free some space and run the "
            "same command again.",
            "E_DISK_FULL",
        ) from error
    named = str(error.filename or "")
    if named and Path(named).is_relative_to(out):
        raise MachineError(
            f"{named} cannot be written or read ({error.strerror}): the output folder itself fails. What was written is "
            "safe; mend that and run the same command again.",
            "E_OUT_FAILS",
        ) from error


def _amount(facts: Any) -> int:
    return int(facts.get("pixels") or facts.get("tiles") or facts.get("patches") or 0)


def unfinished(error: BaseException) -> UnfinishedError:
    """What a user is told when workers vanish."""
    return UnfinishedError(
        f"the workers stopped before the run was done ({type(error).__name__}: {error}). What was written is safe: "
        "run the same command again."
    )

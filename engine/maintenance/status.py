"""status: a run's progress by step, and the process that holds its lock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ...stores.folder import Folder
from ...stores.owner import SILENT_SECONDS, age_of, fate_of, owner_in
from ...stores.receipts import Ledger
from ...stores.remote import absolute
from ..pipeline.documents import RunDocument, StainRun, find_run, find_stain_runs, read_run
from ..pipeline.image_documents import rejected_rows
from ..pipeline.job import Job
from ..pipeline.pace import minutes
from ..pipeline.progress import ProgressFile
from ..pipeline.settings import RunSettings
from ..runtime.attempt import seconds_of_attempt
from ..runtime.load import load
from ..steps.convert.loss import losses


@dataclass(frozen=True, slots=True)
class StepStatus:
    """The progress of one step."""

    title: str
    state: str
    """waiting, running, stopped (begun by a process that has ended) or complete."""
    done: int
    total: int
    """Number of units; 0 where it is not known yet."""
    wall: float
    """Wall time in seconds, summed over all attempts; of one that was killed to its last sign of life."""
    inside: str = ""
    """How far the unit of a training is that has not ended; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of a run."""

    out: str
    state: str
    """done; running; where no process works on a run that is not done: stopped, or done so far, between two stages; or not
    begun, and why."""
    owner: str
    """Host and process that hold the lock; empty where nobody does, or whoever did has ended."""
    steps: tuple[StepStatus, ...]
    rejected: tuple[tuple[str, str, str], ...]
    """Name, reason code, message."""
    lost: tuple[tuple[str, str], ...] = ()
    """Name, and which of its tiles are unreadable or absent, of images that are used all the same."""


def statuses(out: str | Path) -> list[Status]:
    """The progress of the run in `out`, or of the run of each stain. Raises SettingsError (E_NO_RUN) where there is none."""
    stains = find_stain_runs(Folder(absolute(out)))
    if stains is None:
        return [status(out)]
    return [_of_stain(absolute(out) / run.folder, run) for run in stains.runs]


def _of_stain(folder: Path, run: StainRun) -> Status:
    if find_run(Folder(folder)):
        return status(folder)
    return Status(str(folder), f"not begun, {run.failure}" if run.failure else "not begun", "", (), ())


def status(out: str | Path) -> Status:
    """The progress of the run in `out`. Raises SettingsError (E_NO_RUN) where there is no run."""
    job = load(absolute(out))
    run = read_run(job.folder)
    owner = owner_of(job.folder)
    at_work = _at_work(job, run) if owner else set()
    steps = []
    for name, step in job.pipeline.steps.items():
        record = run.steps.get(name)
        done = total = 0
        if record:
            for slide, units in groupby(step.units(job), lambda unit: unit.slide):
                ledger = Ledger(job.folder.out, name, job.ledger_key(name, slide))
                for unit in units:
                    total += 1
                    done += ledger.find(unit.name) is not None
        state, wall = (record.status, record.wall) if record else ("waiting", 0.0)
        if record and state == "running":
            state = "running" if name in at_work else "stopped"
            in_progress = owner and record.begun
            wall += (
                max(0.0, time.time() - record.begun) if in_progress else seconds_of_attempt(job.folder, name, record)
            )
        looked = ProgressFile(job.folder.out).look() if step.progress and state in ("running", "stopped") else {}
        inside = f"{looked['done']}/{looked['total']} steps" if "done" in looked else ""
        steps.append(StepStatus(step.title, state, done, total, wall, inside))
    rejected = tuple(rejected_rows(job.folder))
    lost = tuple((job.slides[image].name, text) for image, text in losses(job).items())
    state = _state(run, owner)
    return Status(str(job.folder.out), state, owner, tuple(steps), rejected, lost)


def _at_work(job: Job[RunSettings], run: RunDocument) -> set[str]:
    """Steps that the present process has come to, and those of which it does units beside."""
    begun = {name for name, record in run.steps.items() if record.status == "running" and record.begun}
    return begun.union(*(job.pipeline.steps[name].meanwhile for name in begun & job.pipeline.steps.keys()))


def _state(run: RunDocument, owner: str) -> str:
    if run.status == "done" or owner:
        return run.status
    is_amid = any(record.status == "running" for record in run.steps.values())
    return "stopped" if is_amid or not run.steps else "done so far"


def owner_of(folder: Folder) -> str:
    """Host and process id that hold the folder's lock; empty where it is not locked, or its owner has ended. Of an owner on
    another host that gave no sign of life for long, this is said."""
    path = folder.out / "lock.json"
    try:
        owner = owner_in(path)
        age = age_of(path)
    except FileNotFoundError:
        return ""
    fate = fate_of(owner, age) if owner else "ended"
    if owner is None or fate in ("ended", "silent"):
        return ""
    quiet = f", without a sign of life for {minutes(age)}" if fate == "elsewhere" and age > SILENT_SECONDS else ""
    return f"host {owner['host']}, pid {owner['pid']}{quiet}"

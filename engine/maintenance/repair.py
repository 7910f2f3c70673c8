"""repair: repeats the units whose files `verify` finds damaged, and changes nothing else.

A slide whose file changed since is not rejected: its damage is reported and stays, as a repair must not restart the run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CorruptError, NoInputError, SlideError
from ...stores import cache
from ...stores.cases import forget_index
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.ours import check_links, named
from ...stores.receipts import Ledger
from ...stores.remote import absolute
from ...stores.sweep import sweep
from ..compute.resources import closed_resources
from ..pipeline.image_documents import read_rejected
from ..pipeline.job import Job
from ..pipeline.listing import first_of
from ..pipeline.progress import Event
from ..pipeline.settings import RunSettings
from ..pipeline.step import Step
from ..pipeline.unit import Unit
from ..runtime.load import load
from ..runtime.logfile import log_to
from ..runtime.loop import RunContext, answers_of, watched
from ..runtime.options import RunOptions
from ..runtime.ownership import own_paths
from ..runtime.signals import Stop, stoppable
from ..runtime.stain_folders import join_again
from ..workers.gang import check_gang
from ..workers.pool import worker_pool
from ..workers.preflight import preflight
from .verify import Finding, check, look, of_index

log = logging.getLogger("tile_engine")


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of a repair."""

    out: str
    found: tuple[Finding, ...]
    units: int
    """Number of units that were repeated successfully."""
    left: tuple[Finding, ...]
    """Findings that are still damaged; `text` gives the reason."""
    other: tuple[str, ...]
    """Files that are valid again but differ from the original bytes; results derived from them used the original."""


def repair(out: str | Path, *, options: RunOptions) -> Repair:
    """Verify every file in full, with decoding and checksums, and repeat the units whose files are damaged.

    Steps are repaired in order, so that each reads repaired input. On a CPU the files are restored byte for byte.
    Raises SettingsError (E_NO_RUN), LockedError, and MachineError where training needs a gang that is not available.
    """
    folder = Folder(absolute(out))
    load(folder.out)
    check_links(folder.out)
    cache.use_cache(options.cluster.cache_dir, options.cluster.cache_limit)
    stop = Stop(tell=lambda text: options.report(Event("note", text)))
    with (
        Lock(folder.out, force=options.force_unlock),
        log_to(folder.out),
        worker_pool(options.cluster) as workers,
        stoppable(stop),
        closed_resources(),
    ):
        job = load(folder.out)
        preflight(workers, folder.out, (), options.report)
        sweep(folder.out, own_paths(job.pipeline))
        context = RunContext(workers, options.report, stop, options.cluster.unit_timeout)
        findings: list[Finding] = []
        remaining: list[Finding] = []
        changed_paths: list[str] = []
        for step in job.pipeline.steps.values():
            # checked in this loop, as the files that define its units may have been damaged too
            step_findings = look(job, workers, full=True, steps=(step.name,)).findings
            findings += step_findings
            if step_findings:
                original_bytes = _bytes(job, step, step_findings)
                remaining += _left(job, step, step_findings, _redo(job, step, step_findings, context))
                repaired_bytes = _bytes(job, step, step_findings)
                timed_paths = {output.path for output in step.outputs if output.timed}
                changed_paths += [
                    path
                    for path in original_bytes
                    if path not in timed_paths and repaired_bytes.get(path) != original_bytes[path]
                ]
        if index := of_index(folder, full=True):
            findings += index
            remaining += [f for f in index if f.path.endswith("added.npz")]
            forget_index(folder.out / "index")
    damaged_units, remaining_units = ({(f.step, f.unit) for f in group} for group in (findings, remaining))
    join_again(folder.out, options.report)
    for finding in remaining:
        log.warning("not repaired: %s: %s", finding.path, finding.text)
    return Repair(
        str(folder.out), tuple(findings), len(damaged_units - remaining_units), tuple(remaining), tuple(changed_paths)
    )


def _redo(job: Job[RunSettings], step: Step, damaged: Iterable[Finding], context: RunContext) -> dict[str, str]:
    """Repeat the step's damaged units; returns the reasons of those that failed: unit -> text."""
    unit_names = {f.unit for f in damaged}
    for finding in damaged:
        log.warning("%s: %s: %s", finding.kind, finding.path, finding.text)
        if finding.path.endswith("/zarr.json") and named(own_paths(job.pipeline))(
            finding.path
        ):  # some metadata is written only if it is absent
            (job.folder.out / finding.path).unlink(missing_ok=True)
    reasons: dict[str, str] = {}
    done = 0

    def units() -> Iterator[Unit]:
        for unit in step.units(job):
            context.stop.check()
            if unit.name in unit_names:
                yield unit

    def tell() -> None:
        facts = {"slides": 0, "amount": 0, "seconds": 0.0}
        context.report(Event("progress", step.title, job.pipeline.stage_of(step.name), done, len(unit_names), facts))

    tell()
    known = read_rejected(job.folder)
    try:
        if step.ranks:
            check_gang(step.ranks(job), context.pool)
        with watched(job, step, title=step.title, report=context.report):
            for summary in answers_of(job, step, units(), context):
                if summary.rejected:
                    reasons[summary.unit.name] = summary.rejected[1]
                elif new := [name for film, name, _, _ in summary.left_out if film not in known]:
                    reasons[summary.unit.name] = f"films that could be read before cannot be read now: {first_of(new)}"
                done += 1
                tell()
    except (CorruptError, SlideError, NoInputError) as error:  # the input of these units cannot be repaired either
        reasons |= dict.fromkeys(unit_names - reasons.keys(), error.message)
    return reasons


def _left(job: Job[RunSettings], step: Step, damaged: list[Finding], reasons: Mapping[str, str]) -> Iterator[Finding]:
    """Findings that remain after the repair; for a unit that could not be repeated, its findings with the reason."""
    unit_names = {f.unit for f in damaged}
    for finding in damaged:
        if finding.unit in reasons:
            yield replace(finding, text=f"{finding.text}; not repaired: {reasons[finding.unit]}")
    for name in unit_names - reasons.keys():
        yield from check(job.folder.out, True, True, Unit(step.name, name, _slide(job, name))).findings


def _bytes(job: Job[RunSettings], step: Step, damaged: Iterable[Finding]) -> dict[str, tuple[int, int]]:
    """Path -> (size, checksum) of all files in the damaged units' receipts; damaged receipts are skipped."""
    out: dict[str, tuple[int, int]] = {}
    for name in {f.unit for f in damaged}:
        ledger = Ledger(job.folder.out, step.name, job.ledger_key(step.name, _slide(job, name)))
        with suppress(CorruptError):
            receipt = ledger.read(name)
            out |= {path: (size, crc) for path, size, crc in receipt.files} if receipt else {}
    return out


def _slide(job: Job[RunSettings], unit: str) -> str:
    """The id of the slide that a unit belongs to, from the unit's name; empty for units of the whole cohort."""
    slide, _, rest = unit.partition("/")
    return slide if rest and slide in job.slides else ""

"""perform: executes one unit, in any process. A receipt marks it as done; a slide's failure is returned, not raised."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MachineError, SlideError, TileEngineError, UnfinishedError
from ...stores.files import DISK_FULL_ERRNOS
from ...stores.receipts import Ledger
from ..compute.machine import keep_freed_memory
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..pipeline.unit import Unit
from .changes import changed_file
from .load import load

if TYPE_CHECKING:
    from ...models.replica import Replica


LEFT_OUT = "rejected_films"
"""Fact of a receipt: the films of a batch that cannot be used, as `Summary.left_out`."""
NOTICES = "notices"
"""Fact of a receipt: what the unit warned of, for a run that is resumed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a unit, sent between processes: small, whatever the unit wrote."""

    unit: Unit
    seconds: dict[str, float] = field(default_factory=dict)
    amount: int = 0
    """Number of pixels, patches or tiles that it processed."""
    rejected: tuple[str, str] | None = None
    """Reason code and message, if the unit's slide cannot be used."""
    detail: str = ""
    """Details of the failure, for the log."""
    notices: tuple[str, ...] = ()
    """What the user should know about the unit's image."""
    left_out: tuple[tuple[str, str, str, str], ...] = ()
    """Id, name, reason code and message of each film of the unit's batch that cannot be used."""
    notes: tuple[str, ...] = ()
    """What the user may want to know."""
    crashing: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...] = ()
    """Level, start and stop of tiles whose decoding crashes the process or exceeds its time limit."""


def perform(out: Path, unit: Unit, replica: Replica | None = None) -> Summary:
    """Execute one unit of the run in `out` and write its receipt; with a `replica`, as one rank of a gang."""
    return perform_of(load(out), unit, replica)


def perform_of(job: Job[RunSettings], unit: Unit, replica: Replica | None = None) -> Summary:
    """Execute one unit of a loaded job and write its receipt."""
    keep_freed_memory()
    out = job.folder.out
    step = job.pipeline.steps[unit.step]
    try:
        if unit.slide:
            _unchanged(job, unit)
        if step.ranks is None:
            outcome = step.execute(job, unit)
        else:
            from ...models.replica import SINGLE

            replica = replica or SINGLE
            outcome = step.execute(job, unit, replica)
            if replica.rank > 0:  # the first rank writes the receipt
                return Summary(unit)
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
        _no_fault_of_the_disk(error, out)
        _no_fault_of_the_gpu(job, error)
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
    facts = outcome.facts | ({LEFT_OUT: list(map(list, outcome.rejected))} if outcome.rejected else {})
    facts |= {NOTICES: list(outcome.notices)} if outcome.notices else {}
    receipt = ledger.write(unit.name, outcome.files, seconds=outcome.seconds, facts=facts)
    return Summary(
        unit,
        dict(receipt.seconds),
        _amount(receipt.facts),
        notices=tuple(outcome.notices),
        notes=tuple(outcome.notes),
        left_out=tuple(outcome.rejected),
    )


def _unchanged(job: Job[RunSettings], unit: Unit) -> None:
    """Raise SlideError if the slide's file changed since the run began: its store would mix two files."""
    record = job.slides.get(unit.slide)
    if record is None:
        raise SlideError("the slide was rejected while this unit waited.", "E_REJECTED")
    if not job.pipeline.steps[unit.step].reads_source(job):
        return
    try:
        changed = changed_file(record)
    except (OSError, SlideError) as error:
        raise SlideError(
            f"the file cannot be read any more ({error}). Restore it, and run again with --redo.", "E_CHANGED"
        ) from error
    if changed:
        name = "the file" if len(record.files) == 1 else changed
        raise SlideError(
            f"{name} was changed while the run was reading it. Run again with --redo once the file no longer changes.",
            "E_CHANGED",
        )


def _no_fault_of_the_disk(error: Exception, out: Path) -> None:
    """Raise an error that ends the run if OUT's disk is full or fails; otherwise every slide would be rejected."""
    if not isinstance(error, OSError):
        return
    if error.errno in DISK_FULL_ERRNOS:
        raise UnfinishedError(
            f"no room left for results in {out}: {error.strerror}. What was written is safe; free some space and run the "
            "same command again.",
            "E_DISK_FULL",
        ) from error
    file_name = str(error.filename or "")
    if file_name and Path(file_name).is_relative_to(out):
        raise MachineError(
            f"{file_name} cannot be written or read ({error.strerror}): the disk of the output folder fails. What was written "
            "is safe; repair the disk and run the same command again.",
            "E_OUT_FAILS",
        ) from error


def _no_fault_of_the_gpu(job: Job[RunSettings], error: Exception) -> None:
    """Raise an error that ends the run if the GPU fails or its memory is full; otherwise every slide would be rejected."""
    if job.settings.device == "cuda" and isinstance(error, RuntimeError):
        from ..compute.gpu_stream import check_gpu_error

        check_gpu_error(error)


def _amount(facts: Any) -> int:
    return int(facts.get("pixels") or facts.get("tiles") or facts.get("patches") or facts.get("films") or 0)

"""plan: all that is checked before a run begins or goes on. The run itself checks it here, and so does its plan, which writes
nothing; what only workers can tell (whether they come, and see the files) a plan leaves out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import NoInputError, SettingsError
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.ours import check_links
from ...stores.slides.cohort import Cohort
from ..pipeline.job import Job
from ..pipeline.listing import first_lines
from ..pipeline.messages import rejection_messages
from ..pipeline.modality import Modality
from ..pipeline.progress import Event, silent
from ..pipeline.record import InspectedCohort
from ..pipeline.settings import RunSettings, settings_of
from ..pipeline.spec import Estimate, Pipeline
from ..workers.gang import check_ranks
from ..workers.placement import cluster_spec
from .access import check_mode
from .begun import begun_text
from .class_column import columns_of, with_class_column
from .device_choice import STAGES as NETWORK
from .device_choice import as_device_began, check_device_here
from .difference import compared
from .logfile import check_log
from .manifest import as_begun, with_kept, with_threads
from .options import RunOptions
from .room import check_room, with_room
from .timing import Forecast, Timing


class Planned(NamedTuple):
    """A run that was planned and not started."""

    out: Path
    cohort: InspectedCohort
    sizes: Estimate
    forecast: Forecast


class Checked(NamedTuple):
    """A run's settings, its images without those that cannot be used, and the sizes of its results."""

    settings: RunSettings
    cohort: InspectedCohort
    sizes: Estimate


def settings_in(pipeline: Pipeline, folder: Folder, given: Mapping[str, Any], options: RunOptions) -> RunSettings:
    """The given settings, completed by what the run in OUT keeps, or began with."""
    kept = with_kept(given, pipeline.variant.settings, folder, redo=options.redo, report=options.report)
    return as_begun(settings_of(kept, pipeline.variant.settings), folder)


def checked(
    pipeline: Pipeline,
    cohort: Cohort,
    folder: Folder,
    settings: RunSettings,
    options: RunOptions,
    tell: Callable[[InspectedCohort], None] = lambda cohort: None,
) -> Checked:
    """Open the images, `tell` which can be used and which cannot, and check what can be foreseen. Writes nothing, except local
    copies of slides that must be copied to be read.

    Raises NoInputError where no image can be used, MachineError (E_NO_ROOM) where the results do not fit, and what the
    pipeline's own checks raise.
    """
    settings = with_class_column(with_threads(settings, folder), columns_of(cohort))
    inspected = pipeline.modality.open(cohort, settings)
    tell(inspected)
    if text := pipeline.caution(inspected):
        options.report(Event("warning", text))
    if not inspected.slides:
        raise NoInputError(_all_rejected(inspected, pipeline.modality))
    fitting, sizes = with_room(pipeline, folder, settings, inspected, redo=options.redo)
    if new := {s: r for s, r in fitting.rejected.items() if s not in inspected.rejected}:
        tell(replace(fitting, slides={}, rejected=new, ignored=()))
    if set(options.stages) - {"convert"}:
        pipeline.check_sampled(Job(folder, settings, fitting.spacing, fitting.slides, {}, pipeline))
    return Checked(settings, fitting, sizes)


def plan_only(
    pipeline: Pipeline,
    cohort: Cohort,
    out: Path,
    settings: Mapping[str, Any],
    options: RunOptions,
    *,
    tell: bool = True,
) -> Planned:
    """Plan a run without starting it; `tell`: report how long its stages take on such workers.

    Raises what the run would raise before it begins, in the same order; whether workers come is not tried.
    """
    if not tell:
        options = replace(options, report=silent)
    options = replace(options, stages=stages_of(pipeline, options.stages))
    folder = Folder(out, pipeline.modality.name)
    run_settings = settings_in(pipeline, folder, settings, options)
    check_out(folder, options)
    run_settings, inspected, sizes = checked(pipeline, cohort, folder, run_settings, options)
    check_room(folder, sizes, pipeline.modality)
    spec = cluster_spec(options.cluster)
    if spec.kind not in ("client", "address"):  # how many workers are there, only a scheduler knows
        check_ranks(run_settings.gang, 0 if spec.kind == "none" else spec.most)
    if NETWORK & set(options.stages) and pipeline.computes_on_device:
        run_settings = as_device_began(run_settings, folder)
        if spec.is_here:
            check_device_here(run_settings)
    found = compared(pipeline, folder, run_settings, inspected, redo=options.redo, stages=options.stages)
    if run := found.previous:
        was_done = run.status == "done"
        if text := begun_text(pipeline, run, options.stages, was_done=was_done, stale=found.stale):
            options.report(Event("note", text))
    job = Job(folder, run_settings, inspected.spacing, inspected.slides, {}, pipeline)
    timing = Timing(pipeline, sizes, options.stages, 0 if spec.kind == "none" else spec.most, is_here=spec.is_here)
    return Planned(folder.out, inspected, sizes, timing.tell(job, options.report) if tell else timing.forecast(job))


def check_out(folder: Folder, options: RunOptions) -> None:
    """Raise what `claim`, the lock and the log of a run raise in this folder; nothing is taken, created or written."""
    check_mode(options.mode, folder.out)
    folder.check_claim()
    check_links(folder.out)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        Lock(folder.out, force=options.force_unlock).check()
    check_log(folder.out)


def stages_of(pipeline: Pipeline, requested: Sequence[str]) -> tuple[str, ...]:
    """The requested stages that the run has, in its order. Raises SettingsError where it has none of them."""
    chosen = tuple(stage for stage in pipeline.stages if stage in requested)
    if not chosen:
        raise SettingsError(
            f"`tile-engine run {pipeline.called}` has no stage {' or '.join(map(repr, requested))}: its stages are "
            f"{', '.join(pipeline.stages)}.",
            "E_STAGE_ORDER",
        )
    return chosen


def _all_rejected(inspected: InspectedCohort, modality: Modality) -> str:
    reasons = [f"{one.images} [{one.code}]: {one.reason}" for one in rejection_messages(inspected.rejected.values())]
    lines = (f"  {line}" for line in first_lines(reasons, "reasons", most=10))
    return "\n".join([f"none of the {len(inspected.rejected)} {modality.name} can be used:", *lines])

"""start and resume: execute a run of any pipeline, from the user's settings to the last step."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores import cache
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.ours import check_links
from ...stores.remote import absolute, to_path
from ...stores.slides.cohort import Cohort
from ...stores.sweep import sweep
from ..compute.resources import closed_resources
from ..pipeline.documents import find_run, read_run, write_run
from ..pipeline.image_documents import read_images, read_rejected
from ..pipeline.job import Job
from ..pipeline.messages import note_messages, rejection_messages
from ..pipeline.modality import Images
from ..pipeline.progress import Event, Report
from ..pipeline.record import InspectedCohort, Rejection
from ..pipeline.run_warnings import OPENING
from ..pipeline.settings import RunSettings, settings_of
from ..pipeline.spec import Estimate, Pipeline
from ..runs import recorded
from ..workers.child import dismiss_child
from ..workers.gang import check_gang
from ..workers.placement import ClusterOptions, cluster_spec
from ..workers.pool import WorkerPool, worker_pool
from ..workers.preflight import preflight
from .access import claim
from .attempt import close_attempts
from .begun import begun_text
from .class_column import columns_of, recorded_columns, with_class_column, with_joined_classes
from .device_choice import STAGES as NETWORK
from .device_choice import with_device
from .list_notes import list_notes
from .load import load
from .logfile import log_to
from .loop import RunContext, run_stages
from .manifest import as_begun, kept_names, prepare
from .options import RunOptions
from .output_folder import check_outside, default_out
from .ownership import own_paths
from .plan import checked, settings_in, stages_of
from .recorder import Recorder, about
from .room import check_room
from .run_file import write_run_file
from .signals import Stop, stoppable
from .timing import Timing


def find(
    pipeline: Pipeline, images: Images, out: str | Path | None, where: ClusterOptions, settings: Mapping[str, Any]
) -> tuple[Cohort, Path]:
    """The images that the user named, and the folder of results. Raises a TileEngineError for one that cannot be used."""
    target = default_out(images) if out is None else absolute(out)
    find_run(Folder(target))  # raises for a run of another version, before anything is written
    cache.use_cache(where.cache_dir, where.cache_limit)
    run_settings = settings_of(settings, pipeline.variant.settings)
    cohort = pipeline.modality.find(images, run_settings)
    cohort = replace(cohort, notes=(*cohort.notes, *list_notes(cohort, pipeline, run_settings)))
    cohort = with_joined_classes(cohort, with_class_column(run_settings, columns_of(cohort)))
    check_outside(target, images, [e.path for e in cohort.entries])
    return cohort, target


def start(
    pipeline: Pipeline,
    cohort: Cohort,
    out: Path,
    options: RunOptions,
    settings: Mapping[str, Any],
    images: Images | None = None,
) -> Path:
    """Start a run, or resume it where it stopped; returns its folder. `settings` and `images`: those that the user gave; images
    are written down in run.yaml, those of one stain of several are not.

    Raises a TileEngineError where the run as a whole cannot continue.
    """
    modality, recorder = pipeline.modality, Recorder(options.report)
    options = replace(options, stages=stages_of(pipeline, options.stages), report=recorder)
    folder = Folder(out, modality.name)
    was_done = _is_done(folder)
    run_settings = settings_in(pipeline, folder, settings, options)
    options.report(Event("start", str(folder.out)))
    claim(folder, cohort, options.mode, options.report)
    check_links(folder.out)
    with _locked(folder, options), log_to(folder.out):
        close_attempts(folder)
        tell_list(cohort, options.report)
        run_settings, inspected, plan = checked(
            pipeline, cohort, folder, run_settings, options, partial(_tell_opened, report=options.report)
        )
        options.report(Event("note", plan.text(), facts=plan.facts()))
        check_room(folder, plan, modality)  # before results to be redone are removed
        dismiss_child()
        with worker_pool(options.cluster) as workers:  # before anything is removed, as workers may fail to start
            check_gang(run_settings.gang, workers)
            rows = preflight(workers, folder.out, inspected.slides.values(), options.report)
            if NETWORK & set(options.stages) and pipeline.computes_on_device:
                run_settings = with_device(run_settings, folder, workers, rows, options.report)
            job = prepare(pipeline, folder, run_settings, inspected, redo=options.redo, stages=options.stages)
            if images is not None:
                write_run_file(pipeline, folder, run_settings, images)
            recorder.begin(job.folder, opened=True)
            return _go(job, options, workers, recorder, plan, was_done=was_done)


def resume(out: str | Path, *, options: RunOptions, **settings: Any) -> Path:
    """Execute some stages of the run in OUT, with the images it began with; `settings` override the recorded ones.

    A redo returns to the defaults of the settings that a run keeps (`Option.kept`), unless they are given.
    """
    folder = Folder(absolute(out))
    run = read_run(folder)
    pipeline = recorded(run.command, run.variant)
    recorder = Recorder(options.report)
    options = replace(options, stages=stages_of(pipeline, options.stages), report=recorder)
    folder = replace(folder, images=pipeline.modality.name)
    changes = {k: v for k, v in settings.items() if v is not None}
    dropped = {"dtype"} if "device" in changes else set()
    if options.redo:
        dropped |= set(kept_names(pipeline.variant.settings))
    recorded_settings = {k: v for k, v in run.settings.items() if k not in dropped}
    run_settings = as_begun(settings_of({**recorded_settings, **changes}, pipeline.variant.settings), folder)
    options.report(Event("start", str(folder.out)))
    check_links(folder.out)
    with _locked(folder, options), log_to(folder.out):
        close_attempts(folder)
        job = load(folder.out)
        cache.use_cache(options.cluster.cache_dir, options.cluster.cache_limit)
        inspected = InspectedCohort(job.spacing, read_images(folder), _closed(folder), run.ignored, to_path(run.input))
        run_settings = with_class_column(run_settings, recorded_columns(inspected.slides.values()))
        if changes:
            pipeline.check(replace(job, settings=run_settings))  # before results to be redone are removed
        with worker_pool(options.cluster) as workers:
            if "train" in options.stages:
                check_gang(run_settings.gang, workers)
            records = job.slides.values() if job.pixels == "none" else ()
            rows = preflight(workers, folder.out, records, options.report)
            if NETWORK & set(options.stages) and pipeline.computes_on_device:
                run_settings = with_device(run_settings, folder, workers, rows, options.report)
            job = prepare(pipeline, folder, run_settings, inspected, redo=options.redo, stages=options.stages)
            write_run_file(pipeline, folder, run_settings)
            recorder.begin(job.folder, opened=False)
            return _go(job, options, workers, recorder, was_done=run.status == "done")


def relabel(out: str | Path, *, options: RunOptions, **choice: Any) -> Path:
    """Change the settings of the run in OUT that it keeps (`Option.kept`), and repeat the steps that depend on them."""
    folder = Folder(absolute(out))
    run = read_run(folder)
    pipeline = recorded(run.command, run.variant)
    kept = [name for name in kept_names(pipeline.variant.settings) if name in choice]
    if not kept:
        raise SettingsError(
            f"{out} is a run of `tile-engine run {pipeline.called}`, which has no clusters: there is nothing to relabel.",
            "E_NO_CLUSTERS",
        )
    if beyond := [f"--{name}" for name, value in choice.items() if value is not None and name not in kept]:
        raise SettingsError(
            f"{out} is a run of `tile-engine run {pipeline.called}`, whose clusters have no {' or '.join(beyond)}: give --k, "
            "the number of clusters to show.",
            "E_NO_CLUSTERS",
        )
    cluster = replace(options.cluster, cluster="none")
    unchanged = [name for name in kept if choice[name] is None]
    settings = {name: run.settings[name] if name in unchanged else choice[name] for name in kept}
    job = load(folder.out)
    planned = as_begun(settings_of({**run.settings, **settings}, pipeline.variant.settings), folder)
    settings |= pipeline.follow(replace(job, settings=planned), unchanged, options.report)
    return resume(out, options=replace(options, cluster=cluster, redo=True, stages=("map",)), **settings)


def _go(
    job: Job[RunSettings],
    options: RunOptions,
    workers: WorkerPool,
    recorder: Recorder,
    sizes: Estimate | None = None,
    *,
    was_done: bool,
) -> Path:
    folder = job.folder
    count = workers.count if workers.client else 0
    is_here = cluster_spec(options.cluster).is_here
    timing = Timing(job.pipeline, sizes, options.stages, count, is_here=is_here)
    stop = Stop(tell=lambda text: options.report(Event("note", text)))
    with stoppable(stop), closed_resources():
        options.report(Event("note", f"working in {workers.description}"))
        if text := begun_text(job.pipeline, read_run(folder), options.stages, was_done=was_done):
            options.report(Event("note", text))
        timing.tell(job, options.report)
        context = RunContext(workers, options.report, stop, options.cluster.unit_timeout, timing, recorder)
        job = run_stages(job, options.stages, context)
    recorder.write()
    run = read_run(folder)
    is_complete = run.is_complete(job.pipeline.steps)
    write_run(folder, run.model_copy(update={"status": "done" if is_complete else "running"}))
    sweep(folder.out, own_paths(job.pipeline))
    options.report(Event("done", str(folder.out), facts={"report": str(folder.report), "complete": is_complete}))
    return folder.out


def _is_done(folder: Folder) -> bool:
    run = find_run(folder)
    return run is not None and run.status == "done"


def _locked(folder: Folder, options: RunOptions) -> Lock:
    """The lock of OUT; failed heartbeats are reported."""
    return Lock(folder.out, force=options.force_unlock, tell=lambda text: options.report(Event("warning", text)))


def _closed(folder: Folder) -> dict[str, Rejection]:
    """Slides that were rejected on opening when the run began: they stay rejected."""
    return {s: r for s, r in read_rejected(folder).items() if r.step == "open"}


def tell_list(cohort: Cohort, report: Report) -> None:
    """What the user's list was taken for, and what of it fits no image."""
    for kind, texts in (("note", cohort.notes), ("warning", cohort.warnings)):
        for text in texts:
            logging.getLogger("tile_engine").info(text)
            report(Event(kind, text))


def _tell_opened(inspected: InspectedCohort, report: Report) -> None:
    for name, reason in inspected.ignored:
        logging.getLogger("tile_engine").info("ignored %s: %s", name, reason)
    _tell_rejected(inspected.rejected.values(), report)
    for message in note_messages(inspected.slides.values()):
        report(Event("warning", message.text, facts=about(message.reason, message.names, OPENING)))


def _tell_rejected(rejections: Iterable[Rejection], report: Report) -> None:
    for message in rejection_messages(rejections):
        report(Event("rejected", message.text, facts={"code": message.code, "images": list(message.names)}))

"""Manifest: the run recorded in OUT. The same command resumes it; a different one fails with a diff, unless --redo is given."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

from ...stores import cache
from ...stores.folder import Folder
from ...stores.image import labels_listed, list_labels
from ...stores.sweep import sweep
from ...version import VERSION
from ..compute.machine import cores
from ..pipeline.documents import CacheRecord, RunDocument, StepRecord, find_run, read_run, write_run
from ..pipeline.fingerprints import fingerprints
from ..pipeline.image_documents import read_images, read_rejected, write_images, write_quarantined, write_rejected
from ..pipeline.job import Job
from ..pipeline.option import Option
from ..pipeline.progress import Event, Report
from ..pipeline.record import ImageRecord, InspectedCohort, Rejection
from ..pipeline.run_warnings import forget_warnings
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Pipeline
from .difference import compared
from .load import load
from .ownership import clear, forget_images, own_paths

MOST_THREADS = 8
C = TypeVar("C", bound=RunSettings)


def with_threads(settings: C, folder: Folder) -> C:
    """Set the training threads, which affect the numerics: as the run began, else this machine's cores, at most 8."""
    if settings.threads:
        return settings
    begun = find_run(folder)
    threads = begun.common.threads if begun else 0
    return settings.model_copy(update={"threads": threads or min(cores(), MOST_THREADS)})


def as_begun(settings: C, folder: Folder) -> C:
    """The settings, where the run in OUT tells what cannot be read any more, or what stays as it began."""
    begun = find_run(folder)
    return settings.as_begun(begun.settings if begun else None)


def with_kept(
    given: Mapping[str, Any], model: type[RunSettings], folder: Folder, *, redo: bool, report: Report
) -> dict[str, Any]:
    """The given settings, and the run's own values of settings that a run keeps (`Option.kept`), unless it is redone."""
    run = None if redo else find_run(folder)
    settings = {name: value for name, value in given.items() if value is not None}
    kept = {} if run is None else {n: v for n in kept_names(model) if n not in settings and (v := run.settings.get(n))}
    if kept:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in kept)
        report(Event("note", f"{names} stay as this run has them; --redo returns to what the run recommends"))
    return {**kept, **settings}


def kept_names(model: type[RunSettings]) -> list[str]:
    """Names of the settings of a model that a run keeps."""
    fields = model.model_fields.items()
    return [name for name, field in fields if any(isinstance(o, Option) and o.kept for o in field.metadata)]


def prepare(
    pipeline: Pipeline,
    folder: Folder,
    settings: RunSettings,
    inspected: InspectedCohort,
    *,
    redo: bool,
    stages: Sequence[str],
) -> Job[RunSettings]:
    """Record the run in OUT, which holds none or the same one; removes files that a killed run left half-written, and what a
    redo repeats. Raises what `compared` raises, before anything is written."""
    found = compared(pipeline, folder, settings, inspected, redo=redo, stages=stages)
    previous, quarantined = found.previous, found.quarantined
    if found.stale or found.has_changed:
        _forget(pipeline, folder, found.stale, found.records, inspected.slides)
    sweep(folder.out, own_paths(pipeline))
    if quarantined:  # tiles of a changed slide leave the quarantine
        remaining = {
            s: t
            for s, t in quarantined.items()
            if s in inspected.slides and inspected.slides[s].key == found.records[s].key
        }
        write_quarantined(folder, remaining)
    write_images(folder, inspected.slides)
    write_rejected(folder, dict(sorted(found.rejected.items())))
    steps = (
        {s: record for s, record in previous.steps.items() if record.fingerprint == found.prints.get(s)}
        if previous
        else {}
    )
    write_run(folder, manifest(pipeline, settings, inspected, found.prints, steps))
    return load(folder.out)


def manifest(
    pipeline: Pipeline,
    settings: RunSettings,
    inspected: InspectedCohort,
    prints: Mapping[str, str],
    steps: Mapping[str, StepRecord],
) -> RunDocument:
    """The run.json of a new run, or of a resumed run that keeps the records of `steps`."""
    return RunDocument(
        tile_engine=VERSION,
        status="running",
        command=pipeline.command.name,
        variant=pipeline.variant.name,
        input=str(inspected.root.absolute()),
        settings=settings.model_dump(mode="json"),
        spacing=inspected.spacing,
        ignored=inspected.ignored[:1000],
        cache=CacheRecord.model_validate(cache.cache_settings()),
        fingerprints=dict(prints),
        steps=dict(steps),
        versions={name: version(name) for name in ("numpy", "torch", "zarr", "dask", "umap-learn", "openslide-python")}
        | {"python": platform.python_version()},
    )


def update_rejected(job: Job[RunSettings], slide: str, rejection: Rejection) -> Job[RunSettings]:
    """Record a rejection; the fingerprints of cohort steps are recomputed without the rejected slide."""
    folder = job.folder
    rejected = read_rejected(folder) | {slide: rejection}
    write_rejected(folder, rejected)
    rejecting_steps = {s: r.step for s, r in rejected.items()}
    prints = fingerprints(job.pipeline, job.settings, job.spacing, read_images(folder).values(), rejecting_steps)
    write_run(folder, read_run(folder).model_copy(update={"fingerprints": prints}))
    return load(folder.out)


def _forget(
    pipeline: Pipeline,
    folder: Folder,
    stale: Sequence[str],
    previous: Mapping[str, ImageRecord],
    slides: Mapping[str, ImageRecord],
) -> None:
    """Remove the results to be recomputed: all results of changed slides, and the stale steps' outputs of the others."""
    sweep(folder.out, own_paths(pipeline))  # raises on symbolic links, before anything is removed
    changed_ids = [s for s in previous if s not in slides or previous[s].key != slides[s].key]
    forget_images(folder, changed_ids, pipeline.steps.values())
    forget_warnings(folder, [previous[s].name for s in changed_ids])
    order = list(pipeline.steps.values())
    kept_steps = order[: order.index(pipeline.steps[stale[0]])] if stale else order
    clear(folder, [pipeline.steps[name] for name in stale], previous, kept=kept_steps)
    for slide in previous:
        store = folder.slide(slide)
        if (store / "labels" / "zarr.json").exists():  # list only the labels that still exist
            list_labels(
                store, [name for name in labels_listed(store) if (store / "labels" / name / "zarr.json").exists()]
            )

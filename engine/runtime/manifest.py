"""Manifest: the run recorded in OUT. The same command resumes it; a different one fails with a diff, unless --redo is given."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

from ...errors import SettingsError
from ...stores import cache
from ...stores.folder import Folder
from ...stores.image import labels_listed, list_labels
from ...stores.sweep import sweep
from ...version import VERSION
from ..compute.machine import cores
from ..pipeline.documents import (
    CacheRecord,
    RunDocument,
    StepRecord,
    find_run,
    read_images,
    read_quarantined,
    read_rejected,
    read_run,
    write_images,
    write_quarantined,
    write_rejected,
    write_run,
)
from ..pipeline.fingerprints import fingerprints
from ..pipeline.job import Job
from ..pipeline.listing import first_lines
from ..pipeline.option import Option
from ..pipeline.progress import Event, Report
from ..pipeline.record import ImageRecord, InspectedCohort, Rejection
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Pipeline
from ..runs import recorded
from .difference import is_changed, settings_diff, slides_diff
from .load import load
from .ownership import check_foreign, clear, forget_images, own_paths

MOST_THREADS = 8
C = TypeVar("C", bound=RunSettings)
PASSING = frozenset(
    {"E_UNIT_FAILED", "E_CHANGED", "E_REJECTED", "E_NO_MASK", "E_ALIGN", "E_DEGENERATE", "E_TRUNCATED", "E_VERSION"}
)
"""Reason codes of transient rejections: --redo tries such slides again."""


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
    """Record the run in OUT, or check that OUT holds the same run; removes files that a killed run left half-written.

    Raises SettingsError: E_OTHER_SETTINGS, with a diff of settings, slides and stages, where OUT holds a different run;
    E_STAGE_ORDER where a redo has to begin before the requested `stages`.
    """
    previous = find_run(folder)
    if previous is not None:
        _same_kind(folder, pipeline, previous)
    # read both documents now, to reject an invalid id before any work
    previous_records = read_images(folder) if previous is not None else {}
    quarantined = read_quarantined(folder) if previous is not None else {}
    check_foreign(
        folder,
        pipeline.steps.values(),
        [s for s in inspected.slides if s not in previous_records],
        first=previous is None,
    )
    rejected = _rejected(folder, inspected, pipeline, retried=stages if redo else ())
    rejecting_steps = {s: r.step for s, r in rejected.items()}
    prints = fingerprints(pipeline, settings, inspected.spacing, inspected.slides.values(), rejecting_steps)
    if previous is not None:
        stale = stale_steps(pipeline, previous, prints)
        slide_changes = slides_diff(previous_records, inspected.slides, pipeline.modality.noun)
        changed = bool(slide_changes) or is_changed(previous_records, inspected.slides)
        changes = [*settings_diff(previous, settings, inspected.spacing, pipeline.modality.length), *slide_changes]
        if (stale or changed) and not redo:
            raise SettingsError(_refusal(pipeline, folder, changes, stale, previous), "E_OTHER_SETTINGS")
        order = list(pipeline.stages)
        if stale and order.index(pipeline.stage_of(stale[0])) < min(map(order.index, stages)):
            raise SettingsError(
                "\n".join(
                    [
                        f"with these settings stage {pipeline.stage_of(stale[0])!r} of {folder.out} must be done again before "
                        f"stage {stages[0]!r}, and it was not requested:",
                        *(f"  {line}" for line in changes),
                        f"  to be done again: {', '.join(pipeline.steps[s].title for s in stale)}",
                        f"  Nothing was touched. `tile-engine run {pipeline.called}` with --redo runs all stages in order.",
                    ]
                ),
                "E_STAGE_ORDER",
            )
        pipeline.check_stored(Job(folder, settings, inspected.spacing, inspected.slides, {}, pipeline), stale)
        if stale or changed:
            _forget(pipeline, folder, stale, previous_records, inspected.slides)
    sweep(folder.out, own_paths(pipeline))
    if quarantined:  # tiles of a changed slide leave the quarantine
        remaining = {
            s: t
            for s, t in quarantined.items()
            if s in inspected.slides and inspected.slides[s].key == previous_records[s].key
        }
        write_quarantined(folder, remaining)
    write_images(folder, inspected.slides)
    write_rejected(folder, dict(sorted(rejected.items())))
    steps = (
        {s: record for s, record in previous.steps.items() if record.fingerprint == prints.get(s)} if previous else {}
    )
    write_run(folder, manifest(pipeline, settings, inspected, prints, steps))
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


def _same_kind(folder: Folder, pipeline: Pipeline, previous: RunDocument) -> None:
    """Check that OUT holds the same pipeline. A run with only `convert` done may become any pipeline on that modality."""
    previous_pipeline = recorded(previous.command, previous.variant)
    converted = {step.name for step in previous_pipeline.stages["convert"]}
    if previous_pipeline != pipeline and (
        previous_pipeline.modality != pipeline.modality or not set(previous.steps) <= converted
    ):
        raise SettingsError(
            f"{folder.out} holds a run of `{previous_pipeline.called}` on {previous_pipeline.modality.name}, and this is a "
            f"run of `{pipeline.called}` on {pipeline.modality.name}: their results would be mixed. Choose another folder "
            "with --out.",
            "E_OTHER_RUN",
        )


def stale_steps(pipeline: Pipeline, previous: RunDocument, prints: Mapping[str, str]) -> list[str]:
    """Steps that have begun and whose fingerprint has changed, as settings or the cohort changed."""
    stale = []
    for step in pipeline.steps:
        if step in previous.steps and previous.fingerprints.get(step) != prints[step]:
            stale.append(step)
    return stale


def update_rejected(job: Job[RunSettings], slide: str, rejection: Rejection) -> Job[RunSettings]:
    """Record a rejection; the fingerprints of cohort steps are recomputed without the rejected slide."""
    folder = job.folder
    rejected = read_rejected(folder) | {slide: rejection}
    write_rejected(folder, rejected)
    rejecting_steps = {s: r.step for s, r in rejected.items()}
    prints = fingerprints(job.pipeline, job.settings, job.spacing, read_images(folder).values(), rejecting_steps)
    write_run(folder, read_run(folder).model_copy(update={"fingerprints": prints}))
    return load(folder.out)


def _rejected(
    folder: Folder, inspected: InspectedCohort, pipeline: Pipeline, *, retried: Sequence[str]
) -> dict[str, Rejection]:
    """Slides rejected on opening now, and unchanged slides that a step of an earlier attempt rejected.

    Slides that a step of the `retried` stages rejected for a transient reason (PASSING) are tried again.
    """
    out = dict(inspected.rejected)
    for slide, rejection in read_rejected(folder).items():
        record = inspected.slides.get(rejection.image or slide)
        is_unchanged = record is not None and rejection.fingerprint == record.fingerprint
        if rejection.step == "open" or not is_unchanged:
            continue
        if rejection.image or rejection.code not in PASSING or pipeline.stage_of(rejection.step) not in retried:
            out[slide] = rejection
    return out


def _refusal(
    pipeline: Pipeline, folder: Folder, changes: Iterable[str], stale: list[str], previous: RunDocument
) -> str:
    images = pipeline.modality.plural
    kept_titles = [pipeline.steps[s].title for s in pipeline.steps if s in previous.steps and s not in stale]
    return "\n".join(
        [
            f"{folder.out} holds a run with other settings or {images}, whose results would be mixed with these:",
            *(f"  {line}" for line in first_lines(list(changes))),
            f"  to be done again: {', '.join(pipeline.steps[s].title for s in stale) or f'the {images} that were changed'}",
            f"  kept: {', '.join(kept_titles) or 'nothing'}",
            "  Add --redo to repeat these steps, or choose another folder with --out.",
        ]
    )


def _forget(
    pipeline: Pipeline,
    folder: Folder,
    stale: list[str],
    previous: Mapping[str, ImageRecord],
    slides: Mapping[str, ImageRecord],
) -> None:
    """Remove the results to be recomputed: all results of changed slides, and the stale steps' outputs of the others."""
    sweep(folder.out, own_paths(pipeline))  # raises on symbolic links, before anything is removed
    changed_ids = [s for s in previous if s not in slides or previous[s].key != slides[s].key]
    forget_images(folder, changed_ids, pipeline.steps.values())
    order = list(pipeline.steps.values())
    kept_steps = order[: order.index(pipeline.steps[stale[0]])] if stale else order
    clear(folder, [pipeline.steps[name] for name in stale], previous, kept=kept_steps)
    for slide in previous:
        store = folder.slide(slide)
        if (store / "labels" / "zarr.json").exists():  # list only the labels that still exist
            list_labels(
                store, [name for name in labels_listed(store) if (store / "labels" / name / "zarr.json").exists()]
            )

"""difference: what is another in a command than in the run that OUT holds, in the words that a user typed; what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import SettingsError
from ...stores.folder import Folder
from ...version import VERSION
from ..pipeline.documents import RunDocument, find_run
from ..pipeline.fingerprints import fingerprints, is_hashed
from ..pipeline.image_documents import read_images, read_quarantined, read_rejected
from ..pipeline.job import Job
from ..pipeline.listing import first_lines
from ..pipeline.record import ImageRecord, InspectedCohort, QuarantinedTile, Rejection
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Pipeline
from ..pipeline.step import Step
from ..pipeline.typed import typed
from ..runs import recorded
from .ownership import check_foreign

PASSING = frozenset(
    {"E_UNIT_FAILED", "E_CHANGED", "E_REJECTED", "E_NO_MASK", "E_ALIGN", "E_DEGENERATE", "E_TRUNCATED", "E_VERSION"}
)
"""Reason codes of transient rejections: --redo tries such slides again."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A command beside the run that OUT holds."""

    previous: RunDocument | None
    records: Mapping[str, ImageRecord]
    """Images of the previous run."""
    quarantined: Mapping[str, tuple[QuarantinedTile, ...]]
    rejected: Mapping[str, Rejection]
    """Slides rejected on opening now, and those that stay rejected by a step of an earlier attempt."""
    prints: Mapping[str, str]
    """Step -> its fingerprint now."""
    stale: Sequence[str] = ()
    """Steps that have begun and must be done again."""
    has_changed: bool = False
    """Whether the images are others."""


def compared(
    pipeline: Pipeline,
    folder: Folder,
    settings: RunSettings,
    inspected: InspectedCohort,
    *,
    redo: bool,
    stages: Sequence[str],
) -> Compared:
    """Compare a command with the run that OUT holds. Writes nothing: a run asks before it begins, and so does its plan.

    Raises SettingsError: E_OTHER_RUN and E_FOREIGN where OUT holds something else; E_OTHER_SETTINGS, with a diff of settings,
    slides and stages, where it holds a different run; E_STAGE_ORDER where a redo has to begin before the requested `stages`;
    and what the pipeline's `check_stored` raises.
    """
    previous = find_run(folder)
    if previous is not None:
        _same_kind(folder, pipeline, previous)
    # read both documents now, to reject an invalid id before any work
    records = read_images(folder) if previous is not None else {}
    quarantined = read_quarantined(folder) if previous is not None else {}
    new = [s for s in inspected.slides if s not in records]
    check_foreign(folder, pipeline.steps.values(), new, first=previous is None)
    rejected = _rejected(folder, inspected, pipeline, retried=stages if redo else ())
    rejecting_steps = {s: r.step for s, r in rejected.items()}
    prints = fingerprints(pipeline, settings, inspected.spacing, inspected.slides.values(), rejecting_steps)
    job = Job(folder, settings, inspected.spacing, inspected.slides, {}, pipeline)
    if previous is None:
        pipeline.check_stored(job, tuple(pipeline.steps))
        return Compared(None, records, quarantined, rejected, prints)
    stale = stale_steps(pipeline, previous, prints)
    slide_changes = slides_diff(
        records,
        inspected.slides,
        pipeline.modality.noun,
        one_mpp=previous.settings.get("mpp") != settings.named.get("mpp"),
    )
    has_changed = bool(slide_changes) or is_changed(records, inspected.slides)
    changes = [*settings_diff(previous, settings, inspected.spacing, pipeline.modality.length), *slide_changes]
    if stale and not changes:
        changes = [_unsaid(pipeline.steps[stale[0]], settings)]
    if (stale or has_changed) and not redo:
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
    pipeline.check_stored(job, stale)
    return Compared(previous, records, quarantined, rejected, prints, stale, has_changed)


def _unsaid(step: Step, settings: RunSettings) -> str:
    """Why a step, the first one that is stale, must be done again, where neither settings nor images are others: a file that
    its settings name is edited, or our version did it otherwise; a fingerprint does not tell which."""
    paths = [path for path in map(str, settings.deciding(step.files).values()) if is_hashed(path)]
    beside = f" (or {', '.join(step.beside)} beside it)" if step.beside else ""
    files = f"{', '.join(paths)}{beside} has other content than when the run began, or " if paths else ""
    return f"settings and images are the same; {files}the version of tile-engine that began the run did these steps otherwise"


def settings_diff(
    previous: RunDocument, settings: RunSettings, spacing: float, length: Callable[[float], str]
) -> list[str]:
    """The settings that are others now, and a spacing that follows from other images.

    A setting that the run's version did not have counts as its default."""
    values = settings.model_dump(mode="json")
    defaults = type(settings).model_construct().model_dump(mode="json")
    previous_values = {**defaults, **previous.settings}
    lines = [] if previous.tile_engine == VERSION else [f"tile-engine: {previous.tile_engine} -> {VERSION}"]
    lines += [
        f"{k}: {typed(k, previous_values.get(k))} -> {typed(k, v)}"
        for k, v in values.items()
        if previous_values.get(k) != v
    ]
    if previous.spacing != spacing and previous_values.get("spacing") == values.get("spacing"):
        lines.append(f"spacing of the run: {length(previous.spacing)} -> {length(spacing)}")
    return lines


def slides_diff(
    previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord], noun: str, *, one_mpp: bool = False
) -> list[str]:
    """The images that were added, removed or changed, by name; not those that only the run's spacing changes, nor, with
    `one_mpp`, those that only another mpp of all images does: these are said of the run."""
    lines = [f"{noun} added: {slides[s].name}" for s in slides.keys() - previous.keys()]
    lines += [f"{noun} removed: {previous[s].name}" for s in previous.keys() - slides.keys()]
    common_ids = previous.keys() & slides.keys()
    masks = {s for s in common_ids if previous[s].tissue_mask_fingerprint != slides[s].tissue_mask_fingerprint}
    lines += [f"{noun} with another tissue mask: {slides[s].name}" for s in masks]
    for s in common_ids - masks:
        lines += _change(previous[s], slides[s], noun, one_mpp=one_mpp) if previous[s].key != slides[s].key else []
    lines += [
        f"{noun} with other columns in the list: {slides[s].name}"
        for s in common_ids
        if previous[s].columns_digest != slides[s].columns_digest
    ]
    return sorted(lines)


def is_changed(previous: Mapping[str, ImageRecord], slides: Mapping[str, ImageRecord]) -> bool:
    """Whether an image of both has other pixels in the run, for whatever reason."""
    return any(previous[s].key != slides[s].key for s in previous.keys() & slides.keys())


def _change(before: ImageRecord, now: ImageRecord, noun: str, *, one_mpp: bool) -> list[str]:
    """What is another in an image; nothing where only the run's spacing is, which is said of the run."""
    if [mark for _, mark in before.files] != [mark for _, mark in now.files]:
        return [f"{noun} changed: {now.name}"]
    if before.mpp != now.mpp:
        values = " -> ".join("as its file states" if mpp is None else f"{mpp:g}" for mpp in (before.mpp, now.mpp))
        return [] if one_mpp else [f"{noun} with another mpp: {now.name} ({values})"]
    if (before.subimage, before.stains, before.labels) != (now.subimage, now.stains, now.labels):
        return [f"{noun} read in another way: {now.name}"]
    return []


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

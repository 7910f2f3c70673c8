"""divide: whether a command is one run or a run for each stain, and what the results in OUT rule out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.slides.cohort import Cohort
from ..pipeline.documents import RunDocument, StainRuns, find_run, find_stain_runs
from ..pipeline.listing import first_lines, first_of
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings, settings_of
from ..pipeline.spec import Apart, Pipeline
from ..steps.stain import WHY_UNTOLD, untold_names
from .load import load
from .options import RunOptions
from .plan import stages_of


def decided(
    pipeline: Pipeline, cohort: Cohort, out: Path, options: RunOptions, settings: Mapping[str, Any]
) -> StainRuns | None:
    """Which slides are in which run; None where all are in one, in OUT itself.

    No pixels are read for a single slide, a list with a column `stain`, `--stains together`, and slides that were decided on
    before. Raises SettingsError (E_OTHER_SETTINGS) where OUT holds results of another decision.
    """
    earlier, begun = find_stain_runs(Folder(out)), find_run(Folder(out))
    chosen, images = settings_of(settings, pipeline.variant.settings), pipeline.modality.name
    apart = _apart_of(pipeline, chosen, options)
    if apart is None:
        if earlier:
            raise SettingsError(
                f"{out} holds a run for each of {len(earlier.runs)} stains, and this command makes one run of all images: "
                "their results would be mixed. Choose another folder with --out.",
                "E_OTHER_SETTINGS",
            )
        return None
    if earlier is None and (len(cohort.entries) < 2 or _is_settled(pipeline, apart, cohort, begun)):
        return None
    if earlier and not options.redo:
        check_same_slides(out, earlier, {e.id: e.name for e in cohort.entries}, images)
    stains = apart.decide(cohort, chosen, earlier)
    if earlier is None and len(stains.runs) < 2:
        for line in untold_lines(stains):
            options.report(Event("warning" if "timeout" in stains.untold.values() else "note", line))
        return None
    if begun:
        raise _begun_as_one(out, stains, images, is_converted=_is_only_converted(pipeline, begun))
    if earlier and not options.redo:
        check_same_places(out, earlier, stains, images)
    is_new = earlier is None or options.redo
    for line in _lines(out, stains, earlier, images):
        options.report(Event("warning" if stains.decided == "pixels" and is_new else "note", line))
    return stains


def warn_together(out: Path, report: Report) -> None:
    """Before a stage of a run is executed alone: say that its slides are in several stains by the list, if they are."""
    job = load(out)
    apart = job.pipeline.apart
    if apart is None or not apart.applies(job.settings):
        return
    names = sorted({str(record.column(apart.column)).strip() for record in job.slides.values()} - {""})
    if len(names) > 1:
        text = (
            f"the slides of {out} are in {len(names)} stains ({first_of(names)}), and a stage that is executed alone works on "
            f"all of them together: clusters may follow the stain. `tile-engine run {job.pipeline.called}` in another folder "
            "clusters each stain on its own."
        )
        report(Event("warning", text))


def check_same_slides(out: Path, earlier: StainRuns, names: Mapping[str, str], images: str) -> None:
    """Raises SettingsError (E_OTHER_SETTINGS) where slides (`names`: id -> name) were added or removed since.

    `images` is what they are called: slides or sections.
    """
    before = {i: slide.name for run in earlier.runs for i, slide in run.slides.items()}
    one = images.removesuffix("s")
    added = [f"{one} {name} was added" for i, name in names.items() if i not in before]
    removed = [f"{one} {name} was removed" for i, name in before.items() if i not in names]
    _check_unchanged(out, [*added, *removed], images)


def check_same_places(out: Path, earlier: StainRuns, stains: StainRuns, images: str) -> None:
    """Raises SettingsError (E_OTHER_SETTINGS) where a slide is in another stain than before."""
    before = {i: run.folder for run in earlier.runs for i in run.slides}
    moved = [i for run in stains.runs for i in run.slides if before.get(i, run.folder) != run.folder]
    one = images.removesuffix("s")
    _check_unchanged(out, [f"{one} {name} is in another stain now" for name in earlier.named(moved)], images)


def untold_lines(stains: StainRuns) -> Iterator[str]:
    """The slides whose stain cannot be told, why, and where they are clustered."""
    where = f"with {stains.largest.name}, the largest group" if len(stains.runs) > 1 else "with all others, in one run"
    for reason in WHY_UNTOLD:
        if named := untold_names(stains, reason):
            names = first_of(named)
            advice = ". A column `stain` in the list of slides says it" if reason in ("crash", "timeout") else ""
            yield f"the stain of {names} cannot be told by colour ({WHY_UNTOLD[reason]}): clustered {where}{advice}"


def _apart_of(pipeline: Pipeline, settings: RunSettings, options: RunOptions) -> Apart | None:
    """How the images are divided, where the settings want it; images that are only converted are not."""
    clusters = set(stages_of(pipeline, options.stages)) != {"convert"}
    return pipeline.apart if pipeline.apart and clusters and pipeline.apart.applies(settings) else None


def _is_settled(pipeline: Pipeline, apart: Apart, cohort: Cohort, begun: RunDocument | None) -> bool:
    """Whether OUT holds one run that goes on undivided without a look at pixels: begun with the same wish, and found to be in
    one stain; or of another command, which is refused later. A list that names stains is always looked at."""
    if begun is None or _is_only_converted(pipeline, begun):
        return False
    is_listed = any(entry.extra.get(apart.column, "").strip() for entry in cohort.entries)
    return begun.command != pipeline.command.name or (begun.settings.get("stains") == "apart" and not is_listed)


def _is_only_converted(pipeline: Pipeline, begun: RunDocument) -> bool:
    return set(begun.steps) <= {step.name for step in pipeline.stages["convert"]}


def _begun_as_one(out: Path, stains: StainRuns, images: str, *, is_converted: bool) -> SettingsError:
    names = ", ".join(run.name for run in stains.runs)
    found = f"they are in {len(stains.runs)} stains ({names}), each of which would be clustered in a run of its own"
    if is_converted:
        return SettingsError(
            f"{out} holds the conversion of all {images} and nothing else yet, and {found}, in a folder of its own. Nothing "
            f"was touched. Choose another folder with --out, where each stain is converted and clustered, or cluster all "
            f"{images} of this conversion in one run: --stains together.",
            "E_OTHER_SETTINGS",
        )
    return SettingsError(
        f"{out} holds one run of all {images}, and {found}. Nothing was touched. Choose another folder with --out, or go on "
        "with this run: --stains together.",
        "E_OTHER_SETTINGS",
    )


def _check_unchanged(out: Path, changes: Iterable[str], images: str) -> None:
    """Raises SettingsError (E_OTHER_SETTINGS) where there are changes."""
    lines = sorted(changes)
    if not lines:
        return
    raise SettingsError(
        "\n".join(
            [
                f"{out} holds the runs of other {images}, whose results would be mixed with these:",
                *(f"  {line}" for line in first_lines(lines)),
                "  Add --redo to repeat what depends on them, or choose another folder with --out.",
            ]
        ),
        "E_OTHER_SETTINGS",
    )


def _lines(out: Path, stains: StainRuns, earlier: StainRuns | None, images: str) -> Iterator[str]:
    """What was decided, and what can be done about it."""
    guessed = f" by their colours (guessed, as the list of {images} has no column `stain`)"
    how = guessed if stains.decided == "pixels" else f", as the list of {images} says"
    rows = [f"  {run.name}: {first_of([s.name for s in run.slides.values()])}" for run in stains.runs]
    what = f"Each stain is clustered in a run of its own; `--stains together` clusters all {images} in one run."
    yield "\n".join([f"the {images} are in {len(stains.runs)} different stains{how}:", *rows, f"  {what}"])
    yield from untold_lines(stains)
    gone = {run.folder for run in earlier.runs} - {run.folder for run in stains.runs} if earlier else set()
    for name in sorted(gone):
        yield f"{out / name} has no {images} any more and stays as it is: it is no part of these results"

"""apart: one command as one run, or as a run for each stain, one after the other, in folders of OUT.

```text
OUT/stains.json     which slide is in which run, and how that was decided: read again by a resumed command
OUT/report.html     joins the reports of the runs
OUT/HE/  OUT/PAS/   complete runs, as if each had been started on its own slides
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import NoInputError, SettingsError
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.slides.cohort import Cohort
from ...stores.sweep import sweep
from ..pipeline.documents import RunDocument, StainRun, StainRuns, find_run, find_stain_runs, write_stain_runs
from ..pipeline.job import Job
from ..pipeline.modality import Images
from ..pipeline.progress import Event
from ..pipeline.record import InspectedCohort
from ..pipeline.settings import RunSettings, settings_of
from ..pipeline.spec import Apart, Estimate, Pipeline
from .load import load
from .options import RunOptions
from .start import find, plan_only, stages_of, start, tell_list

OWN = r"(stains|lock)\.json|report\.html"
"""Pattern of what is written to OUT itself, beside the folders of the runs."""
MAX_NAMED = 5
"""Slides of a stain that a message names."""
MAX_CHANGES = 20


def start_all(
    pipeline: Pipeline, images: Images, out: str | Path | None, options: RunOptions, settings: Mapping[str, Any]
) -> Path:
    """Start or resume the run of these images, or where they are in several stains a run for each; returns OUT.

    Raises a TileEngineError where a run cannot continue; the runs after it are not begun. A stain none of whose slides can be
    used (NoInputError) does not stop the others: the error is raised after them.
    """
    cohort, target = find(pipeline, images, out, options.cluster, settings)
    stains = decided(pipeline, cohort, target, options, settings)
    if stains is None or pipeline.apart is None:
        return start(pipeline, cohort, target, options, settings)
    options.report(Event("start", str(target)))
    tell_list(cohort, options.report)
    folder = Folder(target)
    folder.claim()
    _check_foreign(target)
    unusable: list[str] = []
    with Lock(target, force=options.force_unlock):
        sweep(target, OWN)
        write_stain_runs(folder, stains)
        for run in stains.runs:
            options.report(Event("note", f"stain {run.name}: {len(run.slides)} slides, in {target / run.folder}"))
            try:
                start(pipeline, _part(cohort, run), target / run.folder, options, settings)
            except NoInputError as error:
                options.report(Event("warning", f"stain {run.name}: {error.message}", facts={"code": error.code}))
                unusable.append(f"stain {run.name}: {error.message}")
            pipeline.apart.join(target, stains, begun_jobs(target, stains))
    if unusable:
        others = f" The other stains are done: {target / 'report.html'}." if len(unusable) < len(stains.runs) else ""
        raise NoInputError("\n".join(unusable) + others)
    return target


def plan_all(
    pipeline: Pipeline, images: Images, out: str | Path | None, options: RunOptions, settings: Mapping[str, Any]
) -> list[tuple[Path, InspectedCohort, Estimate]]:
    """The plan of the run, or of the run of each stain; see `plan_only`."""
    cohort, target = find(pipeline, images, out, options.cluster, settings)
    stains = decided(pipeline, cohort, target, options, settings)
    if stains is None:
        return [plan_only(pipeline, cohort, target, settings)]
    tell_list(cohort, options.report)
    return [plan_only(pipeline, _part(cohort, run), target / run.folder, settings) for run in stains.runs]


def decided(
    pipeline: Pipeline, cohort: Cohort, out: Path, options: RunOptions, settings: Mapping[str, Any]
) -> StainRuns | None:
    """Which slides are in which run; None where all are in one, in OUT itself.

    No pixels are read for a single slide, a list with a column `stain`, `--stains together`, and slides that were decided on
    before. Raises SettingsError (E_OTHER_SETTINGS) where OUT holds results of another decision.
    """
    earlier, begun = find_stain_runs(Folder(out)), find_run(Folder(out))
    apart = _apart_of(pipeline, settings_of(settings, pipeline.variant.settings), options)
    if apart is None:
        if earlier:
            raise SettingsError(
                f"{out} holds a run for each of {len(earlier.runs)} stains, and this command makes one run of all images: "
                "their results would be mixed. Choose another folder with --out.",
                "E_OTHER_SETTINGS",
            )
        return None
    if earlier is None and (len(cohort.entries) < 2 or _is_one_run(pipeline, begun)):
        return None
    if earlier and not options.redo:
        _check_same(out, earlier, {e.id: e.name for e in cohort.entries}, "slide {} was added", "slide {} was removed")
    stains = apart.decide(cohort, settings_of(settings, pipeline.variant.settings), earlier)
    if earlier is None and len(stains.runs) < 2:
        for line in _untold(stains):
            options.report(Event("note", line))
        return None
    if begun:
        raise SettingsError(
            f"{out} holds one run of all slides, and they are in {len(stains.runs)} stains ({_names(stains)}), each of which "
            "would be clustered in a run of its own. Nothing was touched. Choose another folder with --out, or go on with this "
            "run: --stains together.",
            "E_OTHER_SETTINGS",
        )
    if earlier and not options.redo:
        _check_same(out, earlier, _places(stains), "slide {} is in another stain now", "")
    for line in _lines(out, stains, earlier):
        options.report(Event("warning" if stains.decided == "pixels" and not earlier else "note", line))
    return stains


def begun_jobs(out: Path, stains: StainRuns) -> dict[str, Job[RunSettings]]:
    """Folder of each run that has begun -> its job."""
    return {run.folder: load(out / run.folder) for run in stains.runs if find_run(Folder(out / run.folder))}


def runs_in(out: Path) -> tuple[Path, ...]:
    """Folders of the runs in OUT: OUT itself, or where each stain has a run of its own, of those that have begun.

    Raises SettingsError (E_NO_RUN) where none has begun."""
    stains = find_stain_runs(Folder(out))
    if stains is None:
        return (out,)
    folders = tuple(job.folder.out for job in begun_jobs(out, stains).values())
    if not folders:
        raise SettingsError(f"no run in {out} has begun: run the same command again.", "E_NO_RUN")
    return folders


def _apart_of(pipeline: Pipeline, settings: RunSettings, options: RunOptions) -> Apart | None:
    """How the images are divided, where the settings want it; images that are only converted are not."""
    clusters = set(stages_of(pipeline, options.stages)) != {"convert"}
    return pipeline.apart if pipeline.apart and clusters and pipeline.apart.applies(settings) else None


def _is_one_run(pipeline: Pipeline, begun: RunDocument | None) -> bool:
    """Whether OUT holds a run that was begun with the same wish, and found one stain; or one of another kind."""
    if begun is None:
        return False
    converted = {step.name for step in pipeline.stages["convert"]}
    is_alike = begun.command != pipeline.command.name or begun.settings.get("stains") == "apart"
    return is_alike and not set(begun.steps) <= converted


def _check_same(out: Path, earlier: StainRuns, now: Mapping[str, str], added: str, removed: str) -> None:
    """Raises SettingsError for what differs between an earlier decision and `now` (id -> name, or the place of each slide)."""
    names = {i: slide.name for run in earlier.runs for i, slide in run.slides.items()}
    before = names if removed else _places(earlier)
    lines = [added.format(names.get(i, now[i])) for i in now if now[i] != before.get(i)]
    lines += [removed.format(names[i]) for i in before if removed and i not in now]
    if lines:
        more = [f"... and {len(lines) - MAX_CHANGES} more"] if len(lines) > MAX_CHANGES else []
        raise SettingsError(
            "\n".join(
                [
                    f"{out} holds the runs of other slides, whose results would be mixed with these:",
                    *(f"  {line}" for line in sorted(lines)[:MAX_CHANGES] + more),
                    "Add --redo to repeat what depends on them, or choose another folder with --out.",
                ]
            ),
            "E_OTHER_SETTINGS",
        )


def _places(stains: StainRuns) -> dict[str, str]:
    return {i: run.folder for run in stains.runs for i in run.slides}


def _part(cohort: Cohort, run: StainRun) -> Cohort:
    """The images of one stain; what is to be told of their list is told once, of all."""
    entries = tuple(entry for entry in cohort.entries if entry.id in run.slides)
    return replace(cohort, entries=entries, notes=(), warnings=())


def _lines(out: Path, stains: StainRuns, earlier: StainRuns | None) -> Iterator[str]:
    """What was decided, and what can be done about it."""
    guessed = " by their colours (guessed, as the list of slides has no column `stain`)"
    how = guessed if stains.decided == "pixels" else ", as the list of slides says"
    rows = [f"  {run.name}: {_some([s.name for s in run.slides.values()])}" for run in stains.runs]
    what = "Each stain is clustered in a run of its own; `--stains together` clusters all slides in one run."
    yield "\n".join([f"the slides are in {len(stains.runs)} different stains{how}:", *rows, what])
    yield from _untold(stains)
    gone = {run.folder for run in earlier.runs} - {run.folder for run in stains.runs} if earlier else set()
    for name in sorted(gone):
        yield f"{out / name} has no slides any more and stays as it is: it is no part of these results"


def _untold(stains: StainRuns) -> Iterator[str]:
    """The slides whose stain cannot be told, and where they are clustered."""
    if stains.untold:
        largest = max(stains.runs, key=lambda run: len(run.slides))
        names = _some([largest.slides[i].name for i in stains.untold])
        where = f"with {largest.name}, the largest group" if len(stains.runs) > 1 else "with all others, in one run"
        yield f"the stain of {names} cannot be told by colour (too little tissue, or other channels): clustered {where}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")


def _names(stains: StainRuns) -> str:
    return ", ".join(run.name for run in stains.runs)


def _check_foreign(out: Path) -> None:
    """Raises SettingsError (E_FOREIGN) where the joining page would overwrite a file that no such command wrote."""
    if find_stain_runs(Folder(out)) is None and (out / "report.html").exists():
        raise SettingsError(
            f"{out / 'report.html'} exists, and this command did not write it: it would be overwritten. Nothing was begun. "
            "Move it away, or choose another folder with --out.",
            "E_FOREIGN",
        )

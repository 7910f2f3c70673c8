"""apart: one command as one run, or as a run for each stain, one after the other, in folders of OUT.

```text
OUT/stains.json     which slide is in which run, and how that was decided: read again by a resumed command
OUT/run.yaml        the images and settings of the command
OUT/report.html     joins the reports of the runs
OUT/HE/  OUT/PAS/   complete runs, as if each had been started on its own slides
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import MachineError, NoInputError, SettingsError, TileEngineError
from ...stores.folder import Folder
from ...stores.lock import Lock
from ...stores.slides.cohort import Cohort
from ...stores.sweep import sweep
from ..pipeline.documents import StainRun, StainRuns, find_run, find_stain_runs, runs_below, write_stain_runs
from ..pipeline.modality import Images
from ..pipeline.outputs import SUMMARY
from ..pipeline.progress import Event
from ..pipeline.record import InspectedCohort
from ..pipeline.settings import settings_of
from ..pipeline.spec import Apart, Estimate, Pipeline
from .access import claim
from .divide import decided, untold_lines
from .options import RunOptions
from .plan import Planned, check_out, plan_only
from .recorder import Recorder
from .room import free_at
from .run_file import write_run_file
from .stain_folders import begun_jobs, join_again
from .stain_match import check_old, matched, split
from .start import find, start, tell_list
from .timing import tell_all, with_later

OWN = r"(stains|lock)\.json|run\.yaml|report\.html|summary\.md"
"""Pattern of what is written to OUT itself, beside the folders of the runs."""
Parts = list[tuple[StainRun, Cohort, dict[str, Any]]]
"""The run of each stain, its images and its settings."""


def start_all(
    pipeline: Pipeline, images: Images, out: str | Path | None, options: RunOptions, settings: Mapping[str, Any]
) -> Path:
    """Start or resume the run of these images, or where they are in several stains a run for each; returns OUT.

    All runs are checked before the first begins. Raises a TileEngineError where a run cannot continue; the runs after it are
    not begun. A stain none of whose slides can be used (NoInputError) does not stop the others: the error is raised after them.
    """
    settings, old = split(settings)
    cohort, target = find(pipeline, images, out, options.cluster, settings)
    recorder = Recorder(options.report)
    texts = list[str]()

    def recorded(event: Event) -> None:
        texts.append(event.text)
        recorder(event)

    stains = decided(pipeline, cohort, target, replace(options, report=recorded), settings)
    check_old(old, stains)
    if stains is None or pipeline.apart is None:
        _check_lost(target)
        done = start(pipeline, cohort, target, options, settings, images)
        join_again(done, options.report)
        return done
    options.report(Event("start", str(target)))
    tell_list(cohort, recorder)
    folder = Folder(target)
    claim(folder, cohort, options.mode, recorder)
    _check_report(target, stains, replace(options, report=recorder))
    earlier = find_stain_runs(folder)
    again = [text for text in earlier.warnings if text in texts] if earlier else []  # a warning at first, now a note
    untold = set(untold_lines(stains))  # which the page says by itself
    warnings = tuple(text for text in dict.fromkeys((*again, *recorder.texts)) if text not in untold)
    stains = stains.model_copy(update={"warnings": warnings})
    with Lock(target, force=options.force_unlock):
        sweep(target, OWN)
        parts = [_part(pipeline.apart, cohort, run, matched(settings, old, run)) for run in stains.runs]
        failures, plans = _check_parts(pipeline, target, options, parts)
        forecasts = {name: plan.forecast for name, plan in plans.items()}
        if len(forecasts) > 1:
            tell_all(forecasts, options.report)
        for run in stains.runs:
            stains = stains.with_failure(run.folder, failures.get(run.folder, ""))
        write_stain_runs(folder, stains)
        write_run_file(pipeline, folder, settings_of(settings, pipeline.variant.settings), images)
        for run, images_of_run, settings_of_run in parts:
            if run.folder not in failures:
                place = target / run.folder
                options.report(
                    Event("note", f"stain {run.name}: {len(run.slides)} {pipeline.modality.name}, in {place}")
                )
                forecasts.pop(run.name, None)  # what is left are those of the runs behind it
                own = replace(options, report=with_later(options.report, forecasts.values()))
                try:
                    start(pipeline, images_of_run, place, own, settings_of_run)
                except NoInputError as error:
                    failures[run.folder] = _reason(error, pipeline)
                    stains = stains.with_failure(run.folder, _reason(error, pipeline))
                    write_stain_runs(folder, stains)
            if text := failures.get(run.folder):
                options.report(Event("warning", f"stain {run.name}: {text}", facts={"code": NoInputError.code}))
            pipeline.apart.join(target, stains, begun_jobs(target, stains))
    if failures:
        raise _unusable(target, stains)
    return target


def plan_all(
    pipeline: Pipeline, images: Images, out: str | Path | None, options: RunOptions, settings: Mapping[str, Any]
) -> Iterator[tuple[Path, InspectedCohort, Estimate]]:
    """The plan of the run, or of the run of each stain; see `plan_only`.

    Raises what `start_all` would raise before work, before the first plan is given; and after the last one the NoInputError of
    stains none of whose slides can be used.
    """
    settings, old = split(settings)
    cohort, target = find(pipeline, images, out, options.cluster, settings)
    stains = decided(pipeline, cohort, target, options, settings)
    check_old(old, stains)
    if stains is None or pipeline.apart is None:
        _check_lost(target)
        yield plan_only(pipeline, cohort, target, settings, options)[:3]
        return
    tell_list(cohort, options.report)
    check_out(Folder(target), options)
    _check_report(target, stains, options)
    parts = [_part(pipeline.apart, cohort, run, matched(settings, old, run)) for run in stains.runs]
    failures, plans = _check_parts(pipeline, target, options, parts, again=True)
    for run in stains.runs:
        if text := failures.get(run.folder):
            options.report(Event("warning", f"stain {run.name}: {text}", facts={"code": NoInputError.code}))
    if len(plans) > 1:
        tell_all({name: plan.forecast for name, plan in plans.items()}, options.report)
    yield from (plan[:3] for plan in plans.values())
    if failures:
        raise NoInputError(
            "\n  ".join(f"stain {run.name}: {failures[run.folder]}" for run in stains.runs if run.folder in failures)
        )


def _check_parts(
    pipeline: Pipeline, out: Path, options: RunOptions, parts: Parts, *, again: bool = False
) -> tuple[dict[str, str], dict[str, Planned]]:
    """Check all runs before the first begins: slides, settings, files in the way, and the room for all of them together.

    Returns folder -> why, of runs none of whose slides can be used, and stain -> its plan. Runs that have begun were checked
    when they did, unless they are done again, or checked `again`, for a plan that is told. Raises the TileEngineError of a run
    that cannot begin, with its stain.
    """
    failures: dict[str, str] = {}
    plans: dict[str, Planned] = {}
    need = 0
    for run, cohort, settings in parts:
        if not again and not options.redo and find_run(Folder(out / run.folder)) is not None:
            continue
        try:
            plan = plans[run.name] = plan_only(pipeline, cohort, out / run.folder, settings, options, tell=again)
        except NoInputError as error:
            failures[run.folder] = _reason(error, pipeline)
            continue
        except TileEngineError as error:
            raise type(error)(f"stain {run.name}: {error.message}", error.code) from error
        need += plan.sizes.disk - plan.sizes.present
    free = free_at(out)
    if need > free:
        raise MachineError(
            f"about {need / 1e9:.2f} GB will be written to {out} for the stains that have not begun, and {free / 1e9:.2f} GB "
            f"are free: the disk would fill up. Choose another --out{pipeline.modality.smaller}.",
            "E_NO_ROOM",
        )
    return failures, plans


def _reason(error: NoInputError, pipeline: Pipeline) -> str:
    """Why no slide of a stain can be used, on one line."""
    first, *slides = error.message.splitlines()
    return f"no {pipeline.modality.noun} can be used: " + ("; ".join(line.strip() for line in slides) or first)


def _unusable(out: Path, stains: StainRuns) -> NoInputError:
    lines = [f"stain {run.name}: {run.failure}" for run in stains.runs if run.failure]
    others = f" The other stains are done: {out / 'report.html'}." if len(lines) < len(stains.runs) else ""
    return NoInputError("\n  ".join(lines) + others)


def _part(
    apart: Apart, cohort: Cohort, run: StainRun, settings: dict[str, Any]
) -> tuple[StainRun, Cohort, dict[str, Any]]:
    """One run, its images and its settings; what is to be told of their list is told once, of all."""
    images, own = apart.part(cohort, run)
    return run, replace(images, notes=(), warnings=()), {**settings, **own}


def _check_lost(out: Path) -> None:
    """Raises SettingsError (E_OTHER_SETTINGS) where one run would begin in a folder of several whose stains.json is lost."""
    folder = Folder(out)
    below = [] if find_run(folder) or not folder.report.exists() else runs_below(folder)
    if below:
        raise SettingsError(
            f"{out} holds a report and runs in folders of it ({', '.join(path.name for path in below)}), so it held a run for "
            "each stain, and its stains.json was lost. One run of all images would be mixed with them: choose another folder "
            "with --out. The command that made the runs writes stains.json again.",
            "E_OTHER_SETTINGS",
        )


def _check_report(out: Path, stains: StainRuns, options: RunOptions) -> None:
    """Raises SettingsError (E_FOREIGN) where the joining page would overwrite a file that no such command wrote.

    Where stains.json is lost and runs of these stains are there, it is written again, and that is said."""
    if find_stain_runs(Folder(out)):
        return
    begun = [run.folder for run in stains.runs if find_run(Folder(out / run.folder))]
    if begun:
        text = f"stains.json of {out} was lost: it is written again, and the runs that are there go on ({', '.join(begun)})"
        options.report(Event("warning", text))
    elif foreign := [out / name for name in ("report.html", SUMMARY) if (out / name).exists()]:
        raise SettingsError(
            f"{foreign[0]} exists, and this command did not write it: it would be overwritten. Nothing was begun. "
            "Move it away, or choose another folder with --out.",
            "E_FOREIGN",
        )

"""timing: how long a run will take, said before it begins, and told with its progress."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from ..pipeline.documents import find_run
from ..pipeline.job import Job
from ..pipeline.pace import Pace, minutes
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Estimate, Pipeline

log = logging.getLogger("tile_engine")

MENTIONED_SECONDS = 45
"""Seconds of a stage from which on the forecast names it."""
GROUPS = {"convert": "images", "sample": "images", "train": "network", "apply": "network"}
"""Stage -> what its pace depends on; stages of one group are slow or fast together."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long the steps of a run take that are not complete."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Title of a step -> seconds."""
    unknown: tuple[str, ...] = ()
    """Titles of steps that may take long, and of which nobody can tell before they have begun."""

    @property
    def whole(self) -> float:
        """Seconds of all steps that are known."""
        return sum(self.seconds.values())


class Timing:
    """The forecast of a run, made before its first stage, and again before each one, as more is known by then."""

    def __init__(
        self,
        pipeline: Pipeline,
        sizes: Estimate | None,
        stages: Iterable[str],
        workers: int = 0,
        *,
        is_here: bool = True,
    ) -> None:
        """`is_here`: workers are on this machine; how fast others are is not known before they have done something."""
        self._pipeline, self._stages, self._workers = pipeline, tuple(stages), workers
        self._sizes = sizes if is_here else None

    def pace(self, report: Report) -> Pace:
        """The callback that adds the time left to progress."""
        steps = ((stage, step) for stage in self._stages for step in self._pipeline.stages[stage])
        return Pace(report, {step.title: GROUPS.get(stage, stage) for stage, step in steps}, workers=self._workers or 1)

    def forecast(self, job: Job[RunSettings]) -> Forecast:
        """Of the steps that are not complete; empty where nothing can be told, or is left to do."""
        run = find_run(job.folder)
        steps = [step.name for stage in self._stages for step in self._pipeline.stages[stage]]
        names = [name for name in steps if run is None or not run.is_complete([name])]
        if self._sizes is None or not names:
            return Forecast()
        try:
            found = self._pipeline.seconds(job, self._sizes, names, self._workers)
        except (RuntimeError, MemoryError, OSError):  # a forecast that fails ends no run
            log.warning("how long the run takes is not known", exc_info=True)
            return Forecast()
        titles = {name: self._pipeline.steps[name].title for name in names if name in found}
        known = {titles[name]: value for name in titles if (value := found[name]) is not None}
        return Forecast(known, tuple(title for name, title in titles.items() if found[name] is None))

    def tell(self, job: Job[RunSettings], report: Report) -> Forecast:
        """Report how long the run takes, and its stages."""
        forecast = self.forecast(job)
        if text := self._text(job, forecast):
            stages = {stage: round(part) for stage, part in self._parts(forecast).items()}
            facts = {"seconds": round(forecast.whole), "stages": stages, "without": list(forecast.unknown)}
            report(Event("note", text, facts=facts))
        return forecast

    def _parts(self, forecast: Forecast) -> dict[str, float]:
        """Stage -> seconds."""
        stage_of = {step.title: stage for stage, steps in self._pipeline.stages.items() for step in steps}
        seconds = forecast.seconds
        return {stage: sum(seconds[t] for t in titles) for stage, titles in groupby(seconds, stage_of.__getitem__)}

    def _text(self, job: Job[RunSettings], forecast: Forecast) -> str:
        if not forecast.seconds and not forecast.unknown:
            return ""
        unknown = ", ".join(forecast.unknown)
        if not forecast.seconds:
            return f"time: nobody can tell before these steps have begun: {unknown}"
        long = [f"{s} {minutes(part)}" for s, part in self._parts(forecast).items() if part >= MENTIONED_SECONDS]
        parts = f" ({', '.join(long)})" if long else ""
        if unknown:
            return f"time: {minutes(forecast.whole)} with what this machine has free now{parts}, without: {unknown}"
        return f"time: {_about(forecast.whole, job)} with what this machine has free now{parts}"


def tell_all(forecasts: Mapping[str, Forecast], report: Report) -> None:
    """Report how long several runs take one after the other, by their names."""
    if not any(forecast.seconds for forecast in forecasts.values()):
        return
    parts = ", ".join(f"{name} {minutes(forecast.whole)}" for name, forecast in forecasts.items())
    unknown = dict.fromkeys(title for forecast in forecasts.values() for title in forecast.unknown)
    without = f", without: {', '.join(unknown)}" if unknown else ""
    seconds = sum(forecast.whole for forecast in forecasts.values())
    about = minutes(seconds) if seconds < 45 else f"about {minutes(seconds)}"
    facts: dict[str, Any] = {"seconds": round(seconds), "without": list(unknown)}
    facts["runs"] = {name: round(forecast.whole) for name, forecast in forecasts.items()}
    report(Event("note", f"time of all runs together: {about} ({parts}){without}", facts=facts))


def with_later(report: Report, later: Iterable[Forecast]) -> Report:
    """A callback that counts runs which come later to the time that is left in all."""
    waiting = list(later)
    seconds = sum(forecast.whole for forecast in waiting)
    unknown = [title for forecast in waiting for title in forecast.unknown]

    def tell(event: Event) -> None:
        if "left" in event.facts:
            without = list(dict.fromkeys([*event.facts.get("without", ()), *unknown]))
            facts = {**event.facts, "left": round(event.facts["left"] + seconds, 1), "without": without}
            event = replace(event, facts=facts)
        report(event)

    return tell


def _about(seconds: float, job: Job[RunSettings]) -> str:
    """The time in words; of a step that an earlier attempt began, only the most that it takes is known."""
    run = find_run(job.folder)
    has_begun = run is not None and any(record.status == "running" for record in run.steps.values())
    return minutes(seconds) if seconds < 45 else f"{'at most' if has_begun else 'about'} {minutes(seconds)}"

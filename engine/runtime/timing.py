"""timing: how long a run will take, said before it begins, and told with its progress."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from itertools import groupby

from ..pipeline.documents import find_run
from ..pipeline.job import Job
from ..pipeline.pace import Pace, minutes
from ..pipeline.progress import Event, Report
from ..pipeline.settings import RunSettings
from ..pipeline.spec import Estimate, Pipeline

log = logging.getLogger("tile_engine")

GROUPS = {"convert": "images", "sample": "images", "train": "network", "apply": "network"}
"""Stage -> what its pace depends on; stages of one group are slow or fast together."""


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
        return Pace(report, {step.title: GROUPS.get(stage, stage) for stage, step in steps})

    def seconds(self, job: Job[RunSettings]) -> Mapping[str, float]:
        """Title of a step that is not complete -> seconds; empty where it cannot be told, and where nothing is left to do."""
        run = find_run(job.folder)
        steps = [step.name for stage in self._stages for step in self._pipeline.stages[stage]]
        names = [name for name in steps if run is None or not run.is_complete([name])]
        if self._sizes is None or not names:
            return {}
        try:
            found = self._pipeline.seconds(job, self._sizes, names, self._workers)
        except (RuntimeError, MemoryError, OSError):  # a forecast that fails ends no run
            log.warning("how long the run takes is not known", exc_info=True)
            return {}
        return {self._pipeline.steps[name].title: found[name] for name in names if name in found}

    def tell(self, job: Job[RunSettings], report: Report) -> None:
        """Report how long the run takes, and its stages."""
        seconds = self.seconds(job)
        if not seconds:
            return
        stage_of = {step.title: stage for stage, steps in self._pipeline.stages.items() for step in steps}
        parts = {stage: sum(seconds[t] for t in titles) for stage, titles in groupby(seconds, stage_of.__getitem__)}
        text = ", ".join(f"{stage} {minutes(part)}" for stage, part in parts.items())
        whole = sum(parts.values())
        facts = {"seconds": round(whole), "stages": {stage: round(part) for stage, part in parts.items()}}
        report(Event("note", f"time: {_about(whole, job)} with what this machine has free now ({text})", facts=facts))


def _about(seconds: float, job: Job[RunSettings]) -> str:
    """The time in words; of a step that an earlier attempt began, only the most that it takes is known."""
    run = find_run(job.folder)
    has_begun = run is not None and any(record.status == "running" for record in run.steps.values())
    return minutes(seconds) if seconds < 45 else f"{'at most' if has_begun else 'about'} {minutes(seconds)}"

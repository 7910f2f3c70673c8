"""Keeper: jobs that end are replaced, however they ended: walltime, lifetime, preemption or a cancelled job."""

from __future__ import annotations

import time
from typing import Any

from distributed.deploy.adaptive import Adaptive

GRACE = 10.0
"""Seconds that a job's workers may be away; dask's own clock for the same (15 s) knows no jobs of several workers."""


class Keeper(Adaptive):
    """dask's adaptive scaling, which by itself keeps jobs in its books whose workers were there once and are gone."""

    cluster: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        self._seen: set[str] = set()
        self._gone: dict[str, float] = {}
        super().__init__(*args, **options)

    async def recommendations(self, target: int) -> dict[str, Any]:
        lost = self.lost(time.monotonic())
        if lost:
            await self.cluster.scale_down(lost)  # forgets the jobs, and cancels what may be left of them
        return dict(await super().recommendations(target))

    def lost(self, now: float) -> list[str]:
        """Jobs that had workers and have had none for a while."""
        there = self.observed
        jobs = {
            name: {f"{name}{suffix}" for suffix in spec.get("group", [""])}
            for name, spec in self.cluster.worker_spec.items()
            if name in self.cluster.workers
        }
        self._seen = {name for name, workers in jobs.items() if name in self._seen or workers & there}
        self._gone = {name: self._gone.get(name, now) for name in self._seen if not jobs[name] & there}
        return [name for name, since in self._gone.items() if now - since >= GRACE]


def job_of(worker: Any) -> str:
    """Of a job with several workers: all are closed together."""
    return str(worker.name).rsplit("-", 1)[0]

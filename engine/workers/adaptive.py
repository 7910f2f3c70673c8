"""AdaptiveJobs: jobs of several workers are replaced when they end, however they ended.

dask does so by itself for jobs of one worker, which it knows by the worker's name; those of several stay in its books.
"""

from __future__ import annotations

import time
from typing import Any

from distributed.deploy.adaptive import Adaptive

JOB_GRACE_SECONDS = 15.0
"""Seconds that all workers of a job may be away, as dask gives a single one; a killed worker is back sooner."""


class AdaptiveJobs(Adaptive):
    """dask's adaptive scaling, which also forgets jobs whose workers were there once and are gone, so that new ones come."""

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
            name: {f"{name}{suffix}" for suffix in spec["group"]}
            for name, spec in self.cluster.worker_spec.items()
            if name in self.cluster.workers and "group" in spec
        }
        self._seen = {name for name, workers in jobs.items() if name in self._seen or workers & there}
        self._gone = {name: self._gone.get(name, now) for name in self._seen if not jobs[name] & there}
        lost = [name for name, since in self._gone.items() if now - since >= JOB_GRACE_SECONDS]
        self._seen.difference_update(lost)  # the next job may have the same name
        return lost


def job_of(worker: Any) -> str:
    """Of a job with several workers: all are closed together."""
    return str(worker.name).rsplit("-", 1)[0]

"""AdaptiveJobs: replaces jobs of several workers after they ended for any reason.

dask itself replaces only jobs of one worker, which it knows by the worker's name; it never forgets jobs of several workers.
"""

from __future__ import annotations

import time
from typing import Any

from distributed.deploy.adaptive import Adaptive

JOB_GRACE_SECONDS = 15.0
"""Seconds without any worker after which a job is lost, dask's value for a single worker; a killed worker returns sooner."""


class AdaptiveJobs(Adaptive):
    """dask's adaptive scaling, which also removes jobs that lost all workers, so that new jobs are submitted."""

    cluster: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        self._seen: set[str] = set()
        self._gone: dict[str, float] = {}
        super().__init__(*args, **options)

    async def recommendations(self, target: int) -> dict[str, Any]:
        names = self.lost(time.monotonic())
        if names:
            await self.cluster.scale_down(names)  # removes the jobs from dask, and cancels them in the queue
        return dict(await super().recommendations(target))

    def lost(self, now: float) -> list[str]:
        """Names of jobs that had workers and have had none for `JOB_GRACE_SECONDS`."""
        observed_workers = self.observed
        jobs = {
            name: {f"{name}{suffix}" for suffix in spec["group"]}
            for name, spec in self.cluster.worker_spec.items()
            if name in self.cluster.workers and "group" in spec
        }
        self._seen = {name for name, workers in jobs.items() if name in self._seen or workers & observed_workers}
        self._gone = {name: self._gone.get(name, now) for name in self._seen if not jobs[name] & observed_workers}
        names = [name for name, since in self._gone.items() if now - since >= JOB_GRACE_SECONDS]
        self._seen.difference_update(names)  # the next job may have the same name
        return names


def job_of(worker: Any) -> str:
    """Name of a worker's job; all workers of a job are closed together."""
    return str(worker.name).rsplit("-", 1)[0]

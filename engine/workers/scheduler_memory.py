"""flat: what dask keeps of tasks long done and of seconds long past, so that memory does not grow with the length of a run.

A scheduler notes of each submission that a Future asked for it, in a list that lives as long as itself (some 50 MB for 10^9
patches), and keeps the names of its last 100,000 tasks to save itself splitting them (38 MB). Nothing of a run needs either. It
stands apart because it looks into dask; a dask without such notes is left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

R = TypeVar("R")
EVERY = 1000
"""Answers between two looks."""


def unwatched() -> Any:
    """A context in which clusters are started without dask's profiler: it keeps a picture of each of the last thousand
    seconds in every process, for a dashboard that is not there."""
    import dask

    return dask.config.set({"distributed.worker.profile.enabled": False})


def flat(client: Any, answers: Iterator[R]) -> Iterator[R]:
    """The same answers; on the way the scheduler forgets what it noted of them."""

    def forget(dask_scheduler: Any) -> None:  # in here, so that it travels by value: a scheduler may lack tile-engine
        import dask.utils

        spans = getattr(dask_scheduler.extensions.get("spans"), "spans", {})
        for span in spans.values():
            notes = getattr(span, "_metadata", None) or {}
            notes.get("collections", []).clear()
            getattr(span, "_metadata_seen", set()).clear()
        getattr(dask.utils.key_split, "cache_clear", int)()

    for number, answer in enumerate(answers, 1):
        if number % EVERY == 0:
            with contextlib.suppress(OSError):  # where the scheduler is gone, the window says so
                client.run_on_scheduler(forget)
        yield answer

"""Window: units handed to dask one by one from a lazy generator, about two per worker at a time.

The scheduler's memory and the client's do not grow with their number. Tasks are never pure (dask must not merge them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

U = TypeVar("U")
R = TypeVar("R")


def window(client: Any, work: Callable[[U], R], units: Iterable[U], *, size: int) -> Iterator[R]:
    """Results of `work(unit)` as they come, never more than `size` units in the scheduler's hands."""
    from distributed import as_completed

    stream = iter(units)
    flow = as_completed(loop=client.loop)
    waiting = 0
    for unit in stream:
        flow.add(client.submit(work, unit, pure=False, retries=2))
        waiting += 1
        if waiting < size:
            continue
        done = next(flow)
        waiting -= 1
        yield done.result()
    for done in flow:
        yield done.result()

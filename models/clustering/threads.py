"""One thread for the numerical libraries, so that the last digits of a result do not depend on the number of cores."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_here = threading.local()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS and OpenMP do with one thread what this thread does within; within itself it costs nothing."""
    if getattr(_here, "limited", False):
        yield
        return
    with _pools(len(sys.modules)).limit(limits=1):
        _here.limited = True
        try:
            yield
        finally:
            _here.limited = False


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """The libraries of this process; sought anew where more modules were imported, as that takes some
    milliseconds; how many extensions were imported takes as long to count."""
    return ThreadpoolController()

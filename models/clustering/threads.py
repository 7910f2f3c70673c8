"""One thread for the numerical libraries, so that the last digits of a result do not depend on the number of cores."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """BLAS and OpenMP do with one thread what is done within."""
    limit: AbstractContextManager[object] = _pools(len(sys.modules)).limit(limits=1)
    return limit


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """The libraries of this process; sought anew where more modules were imported, as that takes some
    milliseconds; how many extensions were imported takes as long to count."""
    return ThreadpoolController()

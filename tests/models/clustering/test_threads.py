"""One thread: the libraries have one within, also within itself, and what they had before afterwards."""

from __future__ import annotations

import threadpoolctl

from tile_engine.models.clustering import threads
from tile_engine.models.clustering.threads import one_thread


def pools() -> list[int]:
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


def test_libraries_have_one_thread_within_and_their_own_number_afterwards() -> None:
    with threadpoolctl.threadpool_limits(3):
        before = pools()
        with one_thread():
            within = pools()
            sought = threads._pools.cache_info()
            with one_thread():
                assert pools() == within
            assert pools() == within and threads._pools.cache_info() == sought, "libraries are sought once"
        assert set(within) == {1} and pools() == before and set(before) == {3}

"""Memory of a unit that ended is that of the next; memory that anyone may still write into is not."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.engine.compute.spare_memory import SpareMemory


def test_memory_is_used_again_while_it_is_large_enough() -> None:
    spare = SpareMemory()
    with spare.array((4, 6), "uint16") as first:
        first[...] = 7
    with spare.array((3, 5), np.dtype("uint8")) as second:
        assert np.shares_memory(first, second) and (second.shape, second.dtype) == ((3, 5), np.uint8)
    with spare.array((100,), "uint8") as larger:
        assert not np.shares_memory(first, larger) and len(larger) == 100
    with spare.array((2,), "uint8") as last:
        assert np.shares_memory(larger, last)


def test_two_users_at_once_have_memory_of_their_own() -> None:
    spare = SpareMemory()
    with spare.array((8,), "uint8") as kept:
        pass
    with spare.array((8,), "uint8") as first, spare.array((8,), "uint8") as second:
        assert np.shares_memory(kept, first) and not np.shares_memory(first, second)


def test_memory_is_not_used_again_after_an_error_or_once_it_is_given_back() -> None:
    spare = SpareMemory()
    with pytest.raises(OSError, match="a thread reads on"), spare.array((8,), "uint8") as first:
        raise OSError("a thread reads on")
    with spare.array((8,), "uint8") as second:
        assert not np.shares_memory(first, second)
    spare.clear()
    with spare.array((8,), "uint8") as third:
        assert not np.shares_memory(second, third)

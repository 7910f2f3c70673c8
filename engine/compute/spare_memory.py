"""SpareMemory: the memory of a unit's pixels, kept for the next unit: the kernel has to find and to clear what is new.

On a virtual machine whose host takes freed memory back, new memory of a unit costs as much time as the copies of its pixels.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ...stores.frame import Array


class SpareMemory:
    """The memory of the array that was given back last; safe for threads, each of which has an array of its own."""

    def __init__(self) -> None:
        self._held: deque[Array] = deque(maxlen=1)

    def __len__(self) -> int:
        """Number of arrays that it holds."""
        return len(self._held)

    @contextmanager
    def array(self, shape: Sequence[int], dtype: str | np.dtype[np.generic]) -> Iterator[Array]:
        """An array with any values, for the `with` statement alone.

        After an error its memory is not used again: a thread may still write into it.

        >>> spare = SpareMemory()
        >>> with spare.array((4, 2), "uint16") as first:
        ...     first[...] = 7
        >>> with spare.array((3,), "uint8") as second:
        ...     bool(np.shares_memory(first, second))
        True
        """
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        try:
            memory = self._held.pop()
        except IndexError:
            memory = np.empty(0, np.uint8)
        if memory.nbytes < nbytes:
            del memory  # first: both may not fit
            memory = np.empty(nbytes, np.uint8)
        yield memory[:nbytes].view(dtype).reshape(tuple(shape))
        self._held.append(memory)

    def clear(self) -> None:
        """Give the memory back."""
        self._held.clear()

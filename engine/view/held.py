"""Held: what was made last, kept while it fits into a number of bytes, and made once where several threads ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

V = TypeVar("V")


class Held:
    """Values by key, the last used ones, with the bytes that each takes; safe for threads.

    >>> held = Held(10)
    >>> held.get("a", lambda: "one", len), held.get("a", lambda: "two", len), held.get("b", lambda: "a long one", len)
    ('one', 'one', 'a long one')
    >>> held.get("a", lambda: "two", len)
    'two'
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._bytes = self._cleared = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V], size: Callable[[V], int]) -> V:
        """The value of a key; `make` makes it where it is not held, and raises for all that wait for it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return cast(V, self._values[key][0])
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return cast(V, self._values[key][0])
                cleared = self._cleared
            try:
                value = make()
                with self._lock:
                    if cleared == self._cleared:  # else it is of what was let go of
                        self._keep(key, value, size(value))
            finally:
                with self._lock:
                    if self._making.get(key) is making:
                        del self._making[key]
        return value

    def _keep(self, key: Hashable, value: Any, size: int) -> None:
        self._bytes += size - self._values.pop(key, (None, 0))[1]
        self._values[key] = value, size
        while self._bytes > self.limit and len(self._values) > 1:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Let go of everything; what is being made now is not kept."""
        with self._lock:
            self._values.clear()
            self._bytes = 0
            self._cleared += 1

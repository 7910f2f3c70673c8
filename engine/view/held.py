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
        self._bytes = 0
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
            try:
                value = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._values[key] = value, size(value)
                self._bytes += size(value)
                while self._bytes > self.limit and len(self._values) > 1:
                    self._bytes -= self._values.popitem(last=False)[1][1]
        return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._bytes = 0

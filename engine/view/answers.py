"""Answers: what the server sends, and the numbers that a request gives, each held against its bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class RequestError(Exception):
    """A request that the page never makes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The content of an answer."""

    content: bytes
    kind: str
    """Media type."""
    status: int = 200

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        """JSON values; numbers that are not finite become null."""
        text = json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
        return cls(text.encode(), "application/json", status)


def finite(value: Any) -> Any:
    """JSON values with null for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Query:
    """The part of an address after the question mark."""

    values: Mapping[str, str]

    def integer(self, name: str, default: int | None = None, *, most: int = 1 << 31) -> int:
        """Raises RequestError for what is no whole number from 0 to `most`."""
        text = self.values.get(name)
        if text is None and default is not None:
            return default
        if text is None or not text.isascii() or not text.isdecimal() or len(text) > 12 or int(text) > most:
            raise RequestError(f"{name} is a whole number up to {most}")
        return int(text)

    def number(self, name: str, default: float | None = None) -> float:
        text = self.values.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            raise RequestError(f"{name} is a number") from None
        if not math.isfinite(value):
            raise RequestError(f"{name} is a finite number")
        return value

    def integers(self, name: str) -> frozenset[int]:
        """Numbers from 1 to 255, separated by commas; none where it is not given."""
        parts = [part for part in self.values.get(name, "").split(",") if part]
        if len(parts) > 255 or not all(p.isascii() and p.isdecimal() and len(p) <= 3 for p in parts):
            raise RequestError(f"{name} are numbers of clusters separated by commas")
        return frozenset(map(int, parts))

    def centre(self, axes: tuple[str, ...]) -> tuple[float, ...]:
        """A position in micrometres."""
        return tuple(self.number(axis) for axis in axes)

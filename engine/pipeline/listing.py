"""listing: names in a message or a report: the first of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMED = 5
"""Names that a message lists."""
MAX_LINES = 20
"""Lines that a message lists."""


def first_of(names: Sequence[str], most: int = MAX_NAMED) -> str:
    """The first `most` names, and the number of the others.

    >>> first_of(["a.svs", "b.svs", "c.svs"], 2)
    'a.svs, b.svs and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def first_lines(lines: Sequence[str], what: str = "", most: int = MAX_LINES) -> list[str]:
    """The first `most` lines, and a line with the number of the others, and what they are.

    >>> first_lines(["a", "b", "c"], "hosts", 2)
    ['a', 'b', '... and 1 more hosts']
    """
    more = [f"... and {len(lines) - most} more {what}".rstrip()] if len(lines) > most else []
    return [*lines[:most], *more]

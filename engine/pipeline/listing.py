"""listing: names in a message or a report: the first of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMED = 5
"""Names that a message lists."""


def first_of(names: Sequence[str], most: int = MAX_NAMED) -> str:
    """The first `most` names, and the number of the others.

    >>> first_of(["a.svs", "b.svs", "c.svs"], 2)
    'a.svs, b.svs and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

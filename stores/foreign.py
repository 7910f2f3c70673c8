"""Foreign: the border between files that others wrote and the parsers that read them.

Parsers raise whatever a damaged file leads them to: KeyError, struct.error, a token error of a literal. Inside `foreign` all of
that becomes one error of ours that names the file; its cause is kept. Errors of ours pass, and so do MemoryError, which a limit
should have foreseen, and what ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import TileEngineError

MAX_TEXT = 300
"""Characters of what a parser said that a message quotes."""


def kind_of_fault(why: str) -> str:
    """The kind of what a parser raised, of a text that `foreign` gives: the rest may quote what a file holds of a person.

    >>> kind_of_fault("KeyError: 'Doe^Jane'")
    'KeyError'
    """
    return why.partition(":")[0]


@contextmanager
def foreign(fault: Callable[[str], TileEngineError]) -> Iterator[None]:
    """Context of a parser; `fault` makes the error for what it raised, given as text such as "KeyError: 'axes'"."""
    try:
        yield
    except (TileEngineError, MemoryError):
        raise
    except Exception as error:  # the one place for what parsers raise on damaged files
        raise fault(" ".join(f"{type(error).__name__}: {error}".split())[:MAX_TEXT]) from error

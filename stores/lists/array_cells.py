"""Array cells: the values of an array as the cells of a list, whose missing values and whole numbers they are written as."""

from __future__ import annotations

from collections.abc import Sequence

from .cells import value_of


def row_text(values: Sequence[object]) -> str:
    """The values of a row, joined by spaces; empty if each is missing, and `n/a` for one that is missing beside others.

    >>> row_text([1.0, 2.5]), row_text([float("nan")]), row_text([float("nan"), 1]), row_text([" n/a "]), row_text([b"AD"])
    ('1 2.5', '', 'n/a 1', '', 'AD')
    """
    texts = [value_of(_text(value)) for value in values]
    return " ".join(text or "n/a" for text in texts) if any(texts) else ""


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # labels that were saved as floats are the classes of those that were not
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)

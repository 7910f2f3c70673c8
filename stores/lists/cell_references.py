"""References of cells in workbooks: columns by letters, and ranges of merged cells."""

from __future__ import annotations

import re

Merged = tuple[int, int, int]
"""Cells of one column that are merged: their column, from 1, and the first and last line."""


def column_of(reference: str) -> int:
    """Column of a cell's reference, from 1.

    >>> column_of("A1"), column_of("AB12")
    (1, 28)
    """
    number = 0
    for letter in reference[:8]:
        if not (letter.isascii() and letter.isalpha()):
            break
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number


def column_letters(column: int) -> str:
    """The letters of a column.

    >>> column_letters(1), column_letters(28)
    ('A', 'AB')
    """
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def merged_columns(reference: str) -> list[Merged]:
    """The merged cells of a range that has several rows; of several columns the first holds the value.

    >>> merged_columns("B2:C4"), merged_columns("A1:F1")
    ([(2, 2, 4)], [])
    """
    match = re.fullmatch(r"([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})", reference)
    if match is None or int(match[2]) >= int(match[3]):
        return []
    return [(column_of(match[1]), int(match[2]), int(match[3]))]

"""spreadsheet: CSV files that a spreadsheet opens without running what a slide's name may hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...stores.files import write_whole
from ...stores.remote import to_path

Cell = str | int | float | None
"""What a table holds; None is an empty cell."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(cell: Cell) -> Cell:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers stay numbers.

    >>> safe("=HYPERLINK(1)"), safe(-3.5), safe("slide-1")
    ("'=HYPERLINK(1)", -3.5, 'slide-1')
    """
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return cell


def plain(text: str) -> str:
    """Text as it was before `safe`.

    >>> plain("'=HYPERLINK(1)"), plain("'t Hooft")
    ('=HYPERLINK(1)', "'t Hooft")
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def write_csv(path: Path, rows: Sequence[Mapping[str, Cell]], *, columns: Sequence[str] = ()) -> Path:
    """One line a row, UTF-8, columns in the order given or met first; a missing cell is empty."""
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([safe(name) for name in names])
    writer.writerows([safe(row.get(name)) for name in names] for row in rows)
    write_whole(to_path(path), text.getvalue().encode("utf-8"))
    return to_path(path)

"""Sheet: the cells of a list as they stand, from CSV of any dialect, TSV or XLSX; the content decides which, not the name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import SettingsError
from ..regular import read_regular
from .delimited import delimited_lines
from .workbook import workbook_lines

LIST_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods"})
"""Suffixes of lists; the last two cannot be read, and are refused with the way out."""
MAX_BYTES = 2**26
_ZIP, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a list."""

    path: Path
    names: tuple[str, ...]
    """Headings, without spaces around them."""
    rows: tuple[tuple[int, dict[str, str]], ...]
    """(line, heading -> cell) of each row; spaces around a cell are dropped."""
    problems: tuple[str, ...]
    """What keeps rows or columns from being read."""
    notes: tuple[str, ...]
    """How the list was read, where that had to be guessed."""


def read_sheet(path: Path) -> Sheet:
    """The cells of a list. Raises SettingsError (E_MANIFEST) if the file cannot be read, or is no list."""
    data = _bytes(path)
    try:
        if data[:4] == _OLD_WORKBOOK or path.suffix.lower() == ".ods":
            raise ValueError(
                "an old, protected or OpenDocument workbook is not read; save it as XLSX, or as CSV in UTF-8"
            )
        lines, notes = (workbook_lines if data[:4] == _ZIP else delimited_lines)(data)
    except ValueError as error:
        raise SettingsError(f"{path}: the list cannot be read: {error}.", "E_MANIFEST") from error
    names = tuple(unicodedata.normalize("NFC", cell.strip()) for cell in (lines[0][1] if lines else []))
    while names and not names[-1]:
        names = names[:-1]
    problems = [f"column {name!r} appears {n} times" for name, n in Counter(names).items() if name and n > 1]
    rows = []
    for line, cells in lines[1:]:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            problems.append(f"line {line}: {len(cells)} cells under {len(names)} columns")
            continue
        rows.append((line, {n: c.strip() for n, c in zip(names, cells, strict=False) if n}))
    return Sheet(path, names, tuple(rows), tuple(problems), tuple(notes))


def check_problems(path: Path, problems: Iterable[str]) -> None:
    """Raises SettingsError (E_MANIFEST) that lists all problems, if there are any."""
    if listed := list(problems):
        raise SettingsError(
            f"{path}: {len(listed)} problem{'s' if len(listed) > 1 else ''} in the list, so it is not clear what to work on. "
            "Correct:\n" + "\n".join(f"  - {problem}" for problem in listed),
            "E_MANIFEST",
        )


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{path}: a list has at most {MAX_BYTES >> 20} MB.", "E_MANIFEST")
        return read_regular(path)
    except OSError as error:
        raise SettingsError(f"{path}: the list cannot be read ({error.strerror}).", "E_MANIFEST") from error

"""Sheet: the cells of a list as they stand, from CSV of any dialect, TSV or XLSX; the content decides which, not the name."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ...errors import SettingsError
from ..regular import read_regular
from .cell_references import Merged, column_letters
from .delimited import MAX_TITLES, CountHeadings, Line, delimited_lines
from .workbook import WorkbookTable, workbook_table

LIST_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods"})
"""Suffixes of lists; the last two cannot be read, and are refused with the way out."""
MAX_BYTES = 2**26
MAX_TABLE_CELLS = 20_000_000
"""Columns times rows of a list, at most: every row has a cell of every column, though its line may end before."""
MAX_SHOWN_ROWS = 4
NO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
"""Signs that nobody sees."""
_ZIP, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a list."""

    path: Path
    names: tuple[str, ...]
    """Headings, without spaces around them."""
    rows: tuple[tuple[int, dict[str, str]], ...]
    """(line, heading -> cell) of each row, empty where the row ends before; spaces around a cell are dropped."""
    problems: tuple[str, ...]
    """What keeps rows or columns from being read."""
    notes: tuple[str, ...]
    """How the list was read, where that had to be guessed."""
    first_rows: tuple[tuple[str, ...], ...] = ()
    """The first rows as they stand, without empty cells, to show where no headings are found."""


def read_sheet(path: Path, headings_in: CountHeadings | None = None) -> Sheet:
    """The cells of a list. Its headings are the first row in which `headings_in` finds some; what stands above is passed over.

    A row with a single one, below a row of as many cells, holds values. Where no row holds headings, or nothing is asked for,
    they are the first row. Raises SettingsError (E_MANIFEST) if the file cannot be read, or is no list.
    """
    data = _bytes(path)

    def counted(cells: Sequence[str]) -> int:
        return headings_in(cells) if headings_in is not None else 0

    def is_list(lines: Sequence[Line]) -> bool:
        return headings_in is None or _headings_row(lines, counted) is not None

    try:
        if data[:4] == _OLD_WORKBOOK or path.suffix.lower() == ".ods":
            raise ValueError(
                "an old, protected or OpenDocument workbook is not read; save it as XLSX, or as CSV in UTF-8"
            )
        is_workbook = data[:4] == _ZIP
        table = workbook_table(data, is_list) if is_workbook else WorkbookTable(*delimited_lines(data, headings_in), ())
    except ValueError as error:
        raise SettingsError(f"{path}: the list cannot be read: {error}.", "E_MANIFEST") from error
    row = _headings_row(table.lines, counted)
    titles, lines = table.lines[: row or 0], table.lines[row or 0 :]
    names = tuple(unicodedata.normalize("NFC", trimmed(cell)) for cell in (lines[0][1] if lines else []))
    while names and not names[-1]:
        names = names[:-1]
    if len(names) * len(lines) > MAX_TABLE_CELLS:
        raise SettingsError(
            f"{path}: the list has {len(names):,} columns and {len(lines):,} rows, more than {MAX_TABLE_CELLS:,} cells. Remove "
            "what stands far to the right of the other headings, or divide the list.",
            "E_MANIFEST",
        )
    merged = [one for one in table.merged if lines and one[1] > lines[0][0] and one[0] <= len(names)]
    problems = [f"column {name!r} appears {n} times" for name, n in Counter(names).items() if name and n > 1]
    filled = list(_filled(lines, merged))
    rows, unnamed = [], Counter[str]()
    for line, cells in filled[1:]:
        beyond = any(map(trimmed, cells[len(names) :]))
        if beyond and not is_workbook:  # a delimiter inside a cell moves all cells behind it
            problems.append(f"line {line}: {len(cells)} cells under {len(names)} columns")
            continue
        unnamed.update(
            column_letters(i) for i, cell in enumerate(cells, 1) if trimmed(cell) and not "".join(names[i - 1 : i])
        )
        padded = zip_longest(names, cells[: len(names)], fillvalue="")  # a row may end before the headings do
        rows.append((line, {n: trimmed(c) for n, c in padded if n}))
    notes = [*table.notes, *_passed_over(titles, lines), *_merged_note(merged)]
    for column, n in sorted(unnamed.items()):
        notes.append(f"column {column} has no heading: {n} cell{'s of it are' if n > 1 else ' of it is'} not read")
    shown = tuple(tuple(filter(None, map(trimmed, cells))) for _, cells in table.lines[:MAX_SHOWN_ROWS])
    return Sheet(path, names, tuple(rows), tuple(problems), tuple(notes), shown)


def trimmed(cell: str) -> str:
    """A cell without spaces around it, nor signs that nobody sees, which come with texts that were copied from pages."""
    return cell.strip().strip(NO_WIDTH).strip()


def _headings_row(lines: Sequence[Line], headings_in: CountHeadings) -> int | None:
    """Index of the first line that holds headings; a title, one cell above a table of several columns, holds none."""
    counts = [sum(bool(trimmed(cell)) for cell in cells) for _, cells in lines[:MAX_TITLES]]
    least = min(2, max(counts, default=0))
    for row, ((_, cells), count) in enumerate(zip(lines, counts, strict=False)):
        found = headings_in([trimmed(cell) for cell in cells]) if count >= least else 0
        if found > 1 or (found and count > max(counts[:row], default=0)):
            return row
    return None


def _passed_over(titles: Sequence[Line], lines: Sequence[Line]) -> Iterator[str]:
    if titles:
        texts = [" ".join(filter(None, map(trimmed, cells)))[:60] for _, cells in titles]
        rows = f"{len(titles)} row{'s' if len(titles) > 1 else ''}"
        yield f"{rows} above the headings, which are in line {lines[0][0]}: not read: {', '.join(map(repr, texts[:5]))}"


def _filled(lines: Sequence[Line], merged: Sequence[Merged]) -> Iterator[Line]:
    """The lines; each of the cells that are merged over several rows has the value of the first."""
    ranges: dict[int, list[Merged]] = {}
    for one in sorted(merged):
        ranges.setdefault(one[0], []).append(one)
    starts = {column: [first for _, first, _ in some] for column, some in ranges.items()}
    values: dict[Merged, str] = {}
    for line, cells in lines:
        cells = [*cells, *([""] * (max(ranges, default=0) - len(cells)))]
        for column, some in ranges.items():
            one = some[bisect_right(starts[column], line) - 1]
            if one[1] <= line <= one[2]:
                cells[column - 1] = values.setdefault(one, cells[column - 1])
        yield line, cells


def _merged_note(merged: Sequence[Merged]) -> Iterator[str]:
    if merged:
        cells = ", ".join(f"{column_letters(column)}{first} to {last}" for column, first, last in merged[:5])
        yield f"merged cells have their value in every row of theirs: {len(merged)}, as {cells}"


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

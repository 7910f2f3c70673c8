"""Delimited text as lines of cells: CSV of any dialect, and TSV."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import islice

DELIMITERS = ",;\t|"
MAX_TITLES = 30
"""Lines that are searched for headings, at most."""
_FOREIGN = re.compile(r"[^\s,;|]{0,20}[^\x00-\x7f][^\s,;|]{0,20}")
"""A sign beyond ASCII with what stands beside it."""
MAX_CELL_LENGTH = 131_072
"""Characters of a cell, at most; more are a quote that is not closed."""
Line = tuple[int, list[str]]
"""Number of a line, from 1, and its cells."""


CountHeadings = Callable[[Sequence[str]], int]
"""How many of the cells of a line are usual headings; 0 where one is lacking without which they are none."""


def delimited_lines(data: bytes, headings_in: CountHeadings | None = None) -> tuple[list[Line], list[str]]:
    """(lines that hold a cell, notes on how the text was read). Raises ValueError that says what is wrong, and where.

    The text is UTF-8, UTF-16 with a mark, or else Windows-1252, with any line ends; of `,`, `;`, tab and `|`, the one that is
    most frequent in the headings separates the cells. Without headings to look for that is the first line, and where none are
    found, the line that has most of it. A first line `sep=;`, as spreadsheets write it, decides.
    """
    text, notes = _decoded(data)
    delimiter, first_line, text = _parts(text, headings_in)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Line] = []
    try:
        for cells in reader:
            line = reader.line_num + first_line - 1
            if any(len(cell) > MAX_CELL_LENGTH for cell in cells):
                raise ValueError(f"line {line}: {_too_long()}")
            if any(cell.strip() for cell in cells):
                lines.append((line, cells))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num + first_line - 1}: {_reason(error)}") from error
    return lines, notes


def delimiter_of(data: bytes) -> str:
    """What separates the cells of `delimited_lines`. Raises ValueError for what is no text."""
    return _parts(_decoded(data)[0], None)[0]


def _parts(text: str, headings_in: CountHeadings | None) -> tuple[str, int, str]:
    """(what separates cells, the number of the first line of the table, the table)"""
    if stated := re.match(r"sep=(.)\s*?(?:\r\n|\r|\n)", text, re.IGNORECASE):
        return stated[1], 2, text[stated.end() :]
    return _delimiter(text, headings_in), 1, text


def _delimiter(text: str, headings_in: CountHeadings | None) -> str:
    lines = list(islice((line for line in text.splitlines() if line.strip()), MAX_TITLES))
    if headings_in is None or not lines:
        return _most_frequent(lines[0] if lines else "")[0]
    for line in lines:
        counts = {one: headings_in([cell.strip(' "') for cell in line.split(one)]) for one in DELIMITERS if one in line}
        if most := max(counts.values(), default=0):
            return max((one for one in counts if counts[one] == most), key=_plain(line).count)
    return max(map(_most_frequent, lines), key=lambda one: one[1])[0]


def _most_frequent(line: str) -> tuple[str, int]:
    """(the delimiter that a line has most of outside of quotes, how many)."""
    delimiter = max(DELIMITERS, key=_plain(line).count)
    return delimiter, _plain(line).count(delimiter)


def _plain(line: str) -> str:
    """A line without what stands in quotes."""
    return re.sub(r'"[^"]*"', "", line)


def _reason(error: csv.Error) -> str:
    if "field limit" in str(error):
        return _too_long()
    if "unexpected end" in str(error):
        return "a quote is opened and not closed before the end of the list"
    return f"a quote stands where none may ({error})"


def _too_long() -> str:
    return f"a cell has more than {MAX_CELL_LENGTH:,} characters; probably a quote is opened and not closed"


def _decoded(data: bytes) -> tuple[str, list[str]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252" and 4 * sum(byte < 128 for byte in data) < 3 * len(data):
            break  # a text in another alphabet, or no text
        if any(unicodedata.category(sign) == "Cc" and not sign.isspace() for sign in set(text)):
            break
        foreign = _FOREIGN.search(text)
        word = foreign[0] if foreign else ""
        note = f"is not in UTF-8; it is read as Windows-1252, so that a word is {word!r}; if that is wrong, save it in UTF-8"
        return text, [note] if encoding == "cp1252" else []
    raise ValueError("it is no text; save it as CSV in UTF-8")

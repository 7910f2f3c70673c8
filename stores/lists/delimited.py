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
MAX_CELL_LENGTH = 131_072
"""Characters of a cell, at most; more are a quote that is not closed."""
Line = tuple[int, list[str]]
"""Number of a line, from 1, and its cells."""


IsHeadings = Callable[[Sequence[str]], bool]
"""Whether the cells of a line are headings."""


def delimited_lines(data: bytes, is_headings: IsHeadings | None = None) -> tuple[list[Line], list[str]]:
    """(lines that hold a cell, notes on how the text was read). Raises ValueError that says what is wrong, and where.

    The text is UTF-8, UTF-16 with a mark, or else Windows-1252, with any line ends; of `,`, `;`, tab and `|`, the one that is
    most frequent in the headings separates the cells. Without headings to look for that is the first line, and where none are
    found, the line that has most of it. A first line `sep=;`, as spreadsheets write it, decides.
    """
    text, notes = _decoded(data)
    delimiter, first_line, text = _parts(text, is_headings)
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


def _parts(text: str, is_headings: IsHeadings | None) -> tuple[str, int, str]:
    """(what separates cells, the number of the first line of the table, the table)"""
    if stated := re.match(r"sep=(.)\s*?(?:\r\n|\r|\n)", text, re.IGNORECASE):
        return stated[1], 2, text[stated.end() :]
    return _delimiter(text, is_headings), 1, text


def _delimiter(text: str, is_headings: IsHeadings | None) -> str:
    lines = list(islice((line for line in text.splitlines() if line.strip()), MAX_TITLES))
    if is_headings is None or not lines:
        return _most_frequent(lines[0] if lines else "")[0]
    found = [_most_frequent(line) for line in lines]
    for line, (delimiter, count) in zip(lines, found, strict=True):
        if count and is_headings([cell.strip(' "') for cell in line.split(delimiter)]):
            return delimiter
    return max(found, key=lambda one: one[1])[0]


def _most_frequent(line: str) -> tuple[str, int]:
    """(the delimiter that a line has most of outside of quotes, how many)."""
    plain = re.sub(r'"[^"]*"', "", line)
    delimiter = max(DELIMITERS, key=plain.count)
    return delimiter, plain.count(delimiter)


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
        foreign = next((word for word in re.findall(r"\w+", text) if not word.isascii()), "")
        note = f"is not in UTF-8; it is read as Windows-1252, so that a word is {foreign!r}; if that is wrong, save it in UTF-8"
        return text, [note] if encoding == "cp1252" else []
    raise ValueError("it is no text; save it as XLSX, or as CSV in UTF-8")

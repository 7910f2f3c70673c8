"""Delimited text of every dialect becomes the same cells, and what cannot be cells is refused with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.stores.lists.delimited import delimited_lines

PLAIN = [(1, ["path", "age"]), (2, ["Präparat.svs", "61,5"]), (3, ["b c.svs", "7"])]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_dialect_changes_nothing(delimiter: str, end: str, encoding: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(cells for _, cells in PLAIN)
    assert delimited_lines((text.getvalue() + end * 2).encode(encoding)) == (PLAIN, [])


def test_a_spreadsheets_first_line_states_the_delimiter() -> None:
    assert delimited_lines(b"sep=;\r\npath;a,b,c\r\nx;1\r\n")[0] == [(2, ["path", "a,b,c"]), (3, ["x", "1"])]


def test_of_equally_frequent_signs_the_one_that_leaves_headings_parts_cells() -> None:
    def headings_in(cells: Sequence[str]) -> int:
        return len({"path", "age"} & set(cells)) if "path" in cells else 0

    assert delimited_lines(b"path;age, years\na;6\n", headings_in)[0][0] == (1, ["path", "age, years"])
    assert delimited_lines(b"path,age;years\na,6\n", headings_in)[0][0] == (1, ["path", "age;years"])


def test_a_sign_of_another_encoding_is_quoted_with_what_stands_beside_it() -> None:
    assert "a word is '5°C'" in delimited_lines("path;5°C\n".encode("cp1252"))[1][0]


def test_delimiters_inside_quotes_do_not_count() -> None:
    assert delimited_lines(b'"a, b, c";"d, e"\n1;2\n')[0][0] == (1, ["a, b, c", "d, e"])


def test_another_encoding_is_read_and_said() -> None:
    lines, (note,) = delimited_lines("path\nPräparat.svs\n".encode("latin1"))
    assert lines[1] == (2, ["Präparat.svs"]) and "Windows-1252" in note and "Präparat" in note


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"path,age\na.svs," + b"9" * 131_073, "line 2: a cell has more than 131,072 characters"),
        (b'path,age\na.svs,"61\nb.svs,62\n', "opened and not closed"),
        (b'path,age\n"a.svs"x,61\n', "line 2: a quote stands where none may"),
        (b"path\n\xff\xd8\xff\xe0\x00\x10JFIF\n", "no text"),
        ("path\nсрез.svs\n".encode("cp1251"), "no text"),
        (b"p\x00a\x00t\x00h\x00\n\x00", "no text"),
    ],
)
def test_what_is_no_list_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        delimited_lines(data)


@given(st.binary(max_size=300))
def test_bytes_are_lines_or_an_error(data: bytes) -> None:
    try:
        lines, _ = delimited_lines(data)
    except ValueError:
        return
    assert all(any(cell.strip() for cell in cells) for _, cells in lines)

"""Workbooks (XLSX) as lines of cells, by zipfile and expat alone: no formulas, no entities, no more than fits into memory."""

from __future__ import annotations

import io
import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from .delimited import MAX_CELL_LENGTH, Line

MAX_MEMBER_BYTES = 2**26
"""Bytes of one file inside a workbook, at most, unpacked; what its header states is not believed."""
MAX_CELLS = 5_000_000
MAX_COLUMNS = 16_384
"""Columns of a sheet, as spreadsheets limit them."""
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, KeyError, expat.ExpatError,
)  # fmt: skip


def workbook_lines(data: bytes) -> tuple[list[Line], list[str]]:
    """(rows of the first visible sheet that hold a cell, notes). Raises ValueError that says what is wrong."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names, target = _first_sheet(archive)
            texts = _shared(archive)
            rows = _Rows(texts)
            _parse(_member(archive, target), rows.begin, rows.text, rows.end)
    except _BROKEN as error:
        raise ValueError(f"the workbook cannot be read ({error}); save it again as XLSX, or as CSV in UTF-8") from error
    notes = [f"the sheet {names[0]!r} is read; others are not: {', '.join(map(repr, names[1:6]))}"] if names[1:] else []
    if rows.unsaved:
        notes.append(f"{rows.unsaved} cells are formulas without a stored value: they are empty here")
    return [line for line in rows.lines if any(cell.strip() for cell in line[1])], notes


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise ValueError(f"its part {name} has more than {MAX_MEMBER_BYTES >> 20} MB; save the list as CSV in UTF-8")
    return data


Begin = Callable[[str, Mapping[str, str]], None]
"""(name of an element, its attributes), both without namespaces."""


def _parse(data: bytes, begin: Begin, text: Callable[[str], None], end: Callable[[str], None]) -> None:
    """Parse XML. A document type, and with it every entity, is refused."""

    def no_document_type(*_: object) -> None:
        raise ValueError("its XML declares a document type, which no spreadsheet writes: do not trust the file")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = no_document_type
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, values: begin(_local(name), {_local(k): v for k, v in values.items()})
    parser.CharacterDataHandler = text
    parser.EndElementHandler = lambda name: end(_local(name))
    parser.Parse(data, True)


def _local(name: str) -> str:
    return name.rsplit(" ", 1)[-1]


def _longer(text: str, piece: str, what: str) -> str:
    if len(text) + len(piece) > MAX_CELL_LENGTH:
        raise ValueError(f"{what} has more than {MAX_CELL_LENGTH:,} characters")
    return text + piece


def _nothing(_: str) -> None: ...


def _first_sheet(archive: zipfile.ZipFile) -> tuple[list[str], str]:
    """(names of the visible sheets, file of the first)."""
    sheets: list[tuple[str, str]] = []
    targets: dict[str, str] = {}

    def sheet(name: str, values: Mapping[str, str]) -> None:
        if name == "sheet" and values.get("state", "visible") == "visible":
            sheets.append((values.get("name", ""), values.get("id", "")))

    def relation(name: str, values: Mapping[str, str]) -> None:
        if name == "Relationship":
            targets[values.get("Id", "")] = values.get("Target", "")

    _parse(_member(archive, "xl/workbook.xml"), sheet, _nothing, _nothing)
    _parse(_member(archive, "xl/_rels/workbook.xml.rels"), relation, _nothing, _nothing)
    if not sheets:
        raise ValueError("the workbook has no visible sheet")
    target = posixpath.normpath(posixpath.join("/xl", targets[sheets[0][1]])).lstrip("/")
    return [name for name, _ in sheets], target


def _shared(archive: zipfile.ZipFile) -> list[str]:
    """Texts that cells refer to by number; of a text in several fonts, its parts joined, without readings."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    texts: list[str] = []
    open_elements: list[str] = []

    def begin(name: str, values: Mapping[str, str]) -> None:
        open_elements.append(name)
        if name == "si":
            texts.append("")

    def text(piece: str) -> None:
        if open_elements[-1] == "t" and "si" in open_elements and "rPh" not in open_elements:
            texts[-1] = _longer(texts[-1], piece, "a text that cells share")

    _parse(_member(archive, "xl/sharedStrings.xml"), begin, text, lambda name: open_elements.__delitem__(-1))
    return texts


@dataclass(slots=True)
class _Rows:
    """Rows of a sheet, from the events of its XML."""

    shared: list[str]
    lines: list[Line] = field(default_factory=list)
    unsaved: int = 0
    """Formulas without a stored value."""
    count: int = 0
    line: int = 0
    column: int = 0
    kind: str = ""
    value: str = ""
    has_formula: bool = False
    element: str = ""
    cells: dict[int, str] = field(default_factory=dict)

    def begin(self, name: str, values: Mapping[str, str]) -> None:
        self.element = name
        if name == "row":
            self.line, self.column, self.cells = int(values.get("r", self.line + 1)), 0, {}
        elif name == "c":
            self.column = _column(values["r"]) if "r" in values else self.column + 1
            self.kind, self.value, self.has_formula = values.get("t", "n"), "", False
            if self.column > MAX_COLUMNS:
                raise ValueError(f"row {self.line} has a cell in column {self.column}; {MAX_COLUMNS} are possible")
        elif name == "f":
            self.has_formula = True

    def text(self, piece: str) -> None:
        if self.element in ("v", "t"):
            self.value = _longer(self.value, piece, f"row {self.line}: a cell")

    def end(self, name: str) -> None:
        self.element = ""
        if name == "c":
            self.unsaved += self.has_formula and not self.value
            if text := self._cell():
                self.cells[self.column] = text
        elif name == "row" and self.cells:
            width = max(self.cells)
            self.count += width
            if self.count > MAX_CELLS:
                raise ValueError(f"the sheet has more than {MAX_CELLS:,} cells; save the list as CSV in UTF-8")
            self.lines.append((self.line, [self.cells.get(i, "") for i in range(1, width + 1)]))

    def _cell(self) -> str:
        if self.kind == "s":
            try:
                text = self.shared[int(self.value)]
            except (ValueError, IndexError) as error:
                raise ValueError(f"row {self.line}: a cell refers to a text that the workbook does not hold") from error
        else:
            text = self.value
        if self.kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(text, text)
        return _plain(text) if self.kind == "n" else text


def _plain(text: str) -> str:
    """A number as people write it: workbooks store 0.1 as 0.10000000000000001 and 12 as 1.2E1.

    >>> _plain("0.10000000000000001"), _plain("1.2E1"), _plain("7.0")
    ('0.1', '12', '7')
    """
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _column(reference: str) -> int:
    """Column of a cell's reference, from 1.

    >>> _column("A1"), _column("AB12")
    (1, 28)
    """
    number = 0
    for letter in reference[:8]:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number

"""Workbooks (XLSX) as lines of cells, by zipfile and expat alone: no entities, and no more than fits into memory.

Formulas are not computed: a cell has the value that a spreadsheet stored with its formula, and one without is an error.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from xml.parsers import expat

from .cell_formats import DAY_ONE_1904, CellFormats
from .cell_references import Merged, column_letters, column_of, merged_columns
from .delimited import MAX_CELL_LENGTH, Line

MAX_MEMBER_BYTES = 2**26
"""Bytes of one file inside a workbook, at most, unpacked; what its header states is not believed."""
MAX_CELLS = 5_000_000
MAX_COLUMNS = 16_384
"""Columns of a sheet, as spreadsheets limit them."""
MAX_SHEETS = 20
"""Sheets that are searched for a list, at most."""
MAX_NAMED_CELLS = 5
_ESCAPED = re.compile(r"_x(?:(000[A-F])_|(005F)_(?=x[0-9A-F]{4}_))", re.IGNORECASE)
"""A control character as spreadsheets write it: `_x000D_` ends cells that were pasted from databases. Codes of digits
alone stay: `tile_x0010_y0020_` is a name that other programs write so."""


@dataclass(frozen=True, slots=True)
class WorkbookTable:
    """A sheet of a workbook."""

    lines: list[Line]
    """Rows that hold a cell."""
    notes: list[str]
    merged: tuple[Merged, ...]
    """Cells that are merged over several rows; only the first of them holds their value."""


def workbook_table(data: bytes, is_list: Callable[[Sequence[Line]], bool] = lambda lines: True) -> WorkbookTable:
    """The first visible sheet that is a list, else the first visible one. Raises ValueError that says what is wrong."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            formats = CellFormats()
            sheets, hidden = _sheets(archive, formats)
            if "xl/styles.xml" in archive.namelist():
                _parse(_member(archive, "xl/styles.xml"), formats.begin, _nothing, formats.end)
            texts = _shared(archive)
            chosen, rows = _first_list(archive, sheets, texts, formats, is_list)
    except (ValueError, MemoryError):
        raise
    except Exception as error:  # zipfile, its unpackers and expat raise whatever a damaged file leads them to
        raise ValueError(f"the workbook cannot be read ({error}); save it again as XLSX, or as CSV in UTF-8") from error
    if rows.unsaved:
        cells, more = ", ".join(rows.unsaved[:MAX_NAMED_CELLS]), len(rows.unsaved) - MAX_NAMED_CELLS
        raise ValueError(
            f"sheet {chosen!r}: {cells}{f' and {more} more' if more > 0 else ''}: a formula without a stored value, "
            "as the program that wrote it did not compute it; open the list in a spreadsheet and save it, or write the values"
        )
    others = [*(repr(name) for name, _ in sheets if name != chosen), *(f"{name!r} (hidden)" for name in hidden)]
    further = f" and {len(others) - MAX_NAMED_CELLS} more" if len(others) > MAX_NAMED_CELLS else ""
    notes = (
        [f"the sheet {chosen!r} is read; others are not: {', '.join(others[:MAX_NAMED_CELLS])}{further}"]
        if others
        else []
    )
    return WorkbookTable(rows.lines, [*notes, *rows.notes()], tuple(rows.merged))


def _first_list(
    archive: zipfile.ZipFile,
    sheets: Sequence[tuple[str, str]],
    texts: list[str],
    formats: CellFormats,
    is_list: Callable[[Sequence[Line]], bool],
) -> tuple[str, _Rows]:
    """(name of the first sheet that is a list, else of the first; its rows)."""
    first: tuple[str, _Rows] | None = None
    for name, target in sheets[:MAX_SHEETS]:
        rows = _Rows(texts, replace(formats, left_out=Counter()))
        _parse(_member(archive, target), rows.begin, rows.text, rows.end)
        rows.lines = [line for line in rows.lines if any(cell.strip() for cell in line[1])]
        if is_list(rows.lines):
            return name, rows
        first = first or (name, rows)
    if first is None:
        raise ValueError("the workbook has no visible sheet")
    return first


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


def _sheets(archive: zipfile.ZipFile, formats: CellFormats) -> tuple[list[tuple[str, str]], list[str]]:
    """((name, file) of the visible sheets, names of hidden ones); `formats` is told from which day the workbook counts."""
    sheets: list[tuple[str, str]] = []
    hidden: list[str] = []
    targets: dict[str, str] = {}
    charts: set[str] = set()

    def sheet(name: str, values: Mapping[str, str]) -> None:
        if name == "sheet" and values.get("state", "visible") == "visible":
            sheets.append((values.get("name", ""), values.get("id", "")))
        elif name == "sheet":
            hidden.append(values.get("name", ""))
        elif name == "workbookPr" and values.get("date1904", "0") in ("1", "true"):
            formats.day_zero = DAY_ONE_1904

    def relation(name: str, values: Mapping[str, str]) -> None:
        if name == "Relationship":
            charts.update([values.get("Id", "")] if values.get("Type", "").endswith("/chartsheet") else [])
            targets[values.get("Id", "")] = values.get("Target", "")

    _parse(_member(archive, "xl/workbook.xml"), sheet, _nothing, _nothing)
    _parse(_member(archive, "xl/_rels/workbook.xml.rels"), relation, _nothing, _nothing)
    tables = [(name, id) for name, id in sheets if id not in charts]
    files = [(name, posixpath.normpath(posixpath.join("/xl", targets[id])).lstrip("/")) for name, id in tables]
    return files, hidden


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
    return list(map(_unescaped, texts))


def _unescaped(text: str) -> str:
    """A text with the control characters that its file has in words.

    >>> _unescaped("AD_x000D_"), _unescaped("_x005F_x000D_"), _unescaped("tile_x0010_y0020_")
    ('AD\\r', '_x000D_', 'tile_x0010_y0020_')
    """
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), text) if "_x" in text else text


@dataclass(slots=True)
class _Rows:
    """Rows of a sheet, from the events of its XML."""

    shared: list[str]
    formats: CellFormats
    lines: list[Line] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
    """Cells (C3) with a formula and no stored value."""
    merged: list[Merged] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: Counter[int] = field(default_factory=Counter)
    """Column -> how many ranges of hidden ones begin in it, less those that end before it."""
    is_hidden: bool = False
    count: int = 0
    line: int = 0
    column: int = 0
    kind: str = ""
    style: str = ""
    value: str = ""
    has_formula: bool = False
    element: str = ""
    cells: dict[int, str] = field(default_factory=dict)

    def begin(self, name: str, values: Mapping[str, str]) -> None:
        self.element = name
        if name == "row":
            self.line, self.column, self.cells = int(values.get("r", self.line + 1)), 0, {}
            self.is_hidden = values.get("hidden", "0") in ("1", "true")
        elif name == "c":
            self.column = column_of(values["r"]) if "r" in values else self.column + 1
            self.kind, self.value, self.has_formula = values.get("t", "n"), "", False
            self.style = values.get("s", "")
            if self.column > MAX_COLUMNS:
                raise ValueError(f"row {self.line} has a cell in column {self.column}; {MAX_COLUMNS} are possible")
        elif name == "f":
            self.has_formula = True
        elif name == "col" and values.get("hidden", "0") in ("1", "true"):
            first, last = int(values["min"]), min(int(values["max"]), MAX_COLUMNS)
            if first <= last:
                self.hidden_columns.update({first: 1})
                self.hidden_columns.subtract({last + 1: 1})
        elif name == "mergeCell":
            self.merged += merged_columns(values.get("ref", ""))

    def text(self, piece: str) -> None:
        if self.element in ("v", "t"):
            self.value = _longer(self.value, piece, f"row {self.line}: a cell")

    def end(self, name: str) -> None:
        self.element = ""
        if name == "c":
            if (
                self.has_formula and not self.value and self.kind != "str"
            ):  # "str": the formula's value is an empty text
                self.unsaved.append(f"{column_letters(self.column)}{self.line}")
            if text := self._cell():
                self.cells[self.column] = text
        elif name == "row" and self.cells:
            width = max(self.cells)
            self.count += width
            if self.count > MAX_CELLS:
                raise ValueError(f"the sheet has more than {MAX_CELLS:,} cells; save the list as CSV in UTF-8")
            self.lines.append((self.line, [self.cells.get(i, "") for i in range(1, width + 1)]))
            self.hidden_rows += [self.line] if self.is_hidden else []

    def notes(self) -> list[str]:
        """What of the sheet a reader does not see and is read all the same, and what is seen and not read."""
        width = max((len(cells) for _, cells in self.lines), default=0)
        depths = accumulate(self.hidden_columns[column] for column in range(1, width + 1))
        columns = [column_letters(column) for column, depth in enumerate(depths, 1) if depth]
        hidden = [("rows", [str(line) for line in self.hidden_rows]), ("columns", columns)]
        notes = [
            f"hidden {what} are read as the others are: {len(some)}, as {', '.join(some[:MAX_NAMED_CELLS])}"
            for what, some in hidden
            if some
        ]
        if words := self.formats.left_out.most_common(MAX_NAMED_CELLS):
            counts = ", ".join(f"{word!r} {cells}" for word, cells in words)
            notes.append(f"words that only the formats of cells show beside numbers are not read: {counts}")
        return notes

    def _cell(self) -> str:
        if self.kind == "s":
            try:
                text = self.shared[int(self.value)]
            except (ValueError, IndexError) as error:
                raise ValueError(f"row {self.line}: a cell refers to a text that the workbook does not hold") from error
        else:
            text = self.value if self.kind in ("n", "b") else _unescaped(self.value)
        if self.kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(text, text)
        return self.formats.shown(text, self.style) if self.kind == "n" and text else text

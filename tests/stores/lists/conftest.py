"""Workbooks as spreadsheets write them, made of their parts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATION = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
Write = Callable[..., Path]


@pytest.fixture
def workbook(tmp_path: Path) -> Write:
    """Write list.xlsx of rows of cells, each the XML inside `<row>`, with shared texts and any other part replaced."""

    def write(rows: Sequence[str], *, shared: str = "", sheets: Sequence[str] = (), **parts: str) -> Path:
        names = sheets or ('name="Slides"',)
        books = "".join(f'<sheet {name} sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(names, 1))
        targets = "".join(
            f'<Relationship Id="rId{i}" Target="worksheets/sheet{i}.xml"/>' for i in range(1, len(names) + 1)
        )
        cells = "".join(f'<row r="{i}">{row}</row>' for i, row in enumerate(rows, 1))
        files = {
            "xl/workbook.xml": f"<workbook {MAIN} {RELATION}><sheets>{books}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f"<Relationships>{targets}</Relationships>",
            "xl/sharedStrings.xml": f"<sst {MAIN}>{shared}</sst>",
            **{f"xl/worksheets/sheet{i}.xml": f"<worksheet {MAIN}><sheetData>{cells}</sheetData></worksheet>"
               for i in range(1, len(names) + 1)},
            **parts,
        }  # fmt: skip
        path = tmp_path / "list.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path

    return write


@pytest.fixture
def text_cells() -> Callable[..., str]:
    """Cells with their texts inside."""
    return lambda *texts: "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)

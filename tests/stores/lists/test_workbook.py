"""XLSX by the standard library: what spreadsheets write is read, and what only an attacker writes is refused."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.lists import sheet as sheet_module
from tile_engine.stores.lists import workbook as module
from tile_engine.stores.lists.headings import meanings
from tile_engine.stores.lists.sheet import Sheet, read_sheet
from tile_engine.stores.slides.cohort import find_slides

Write = Callable[..., Path]


def test_texts_numbers_and_gaps_are_read(workbook: Write) -> None:
    shared = "<si><t>path</t></si><si><r><t>a.</t></r><r><t>svs</t></r><rPh sb='0' eb='1'><t>reading</t></rPh></si>"
    rows = [
        '<c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t> mpp </t></is></c><c r="D1" t="str"><v>done</v></c>',
        '<c r="A2" t="s"><v>1</v></c><c r="C2"><v>0.10000000000000001</v></c><c r="D2" t="b"><v>1</v></c>',
        "",
        '<c r="A4" t="inlineStr"><is><t>b.svs</t></is></c><c r="C4"><v>1.2E1</v></c><c r="D4"><f>1+1</f><v>2</v></c>',
    ]
    sheet = read_sheet(workbook(rows, shared=shared))
    assert sheet.names == ("path", "", "mpp", "done")
    assert sheet.rows == (
        (2, {"path": "a.svs", "mpp": "0.1", "done": "TRUE"}),
        (4, {"path": "b.svs", "mpp": "12", "done": "2"}),
    )
    assert not sheet.problems and not sheet.notes


def test_a_text_that_belongs_to_nothing_is_no_text(workbook: Write, text_cells: Callable[..., str]) -> None:
    assert read_sheet(workbook([text_cells("path")], shared="<t>lost</t>")).names == ("path",)


def test_a_workbook_is_a_list_of_slides(workbook: Write, text_cells: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"II*\0")
    path = workbook(
        [text_cells("Slide", "Patient ID", "MPP") + '<c t="str"><v>Stain</v></c>', text_cells("a", "p1", "0,5")]
    )
    cohort = find_slides(path)
    assert [(e.name, e.subject, e.mpp) for e in cohort.entries] == [("a.svs", "p1", 0.5)]
    assert cohort.notes[0] == "list.xlsx: path <- Slide, subject <- Patient ID, mpp <- MPP, stain <- Stain"


def test_the_first_visible_sheet_is_read_and_the_others_are_named(
    workbook: Write, text_cells: Callable[..., str]
) -> None:
    sheets = ('name="Old" state="hidden"', 'name="A"', 'name="B"')
    (note,) = read_sheet(workbook([text_cells("path")], sheets=sheets)).notes
    assert note == "the sheet 'A' is read; others are not: 'B', 'Old' (hidden)"


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "aa">]><workbook>&a;</workbook>', "document type"),
        ("xl/workbook.xml", "<workbook/>", "no visible sheet"),
        ("xl/workbook.xml", "<workbook", "cannot be read"),
        ("xl/_rels/workbook.xml.rels", "<Relationships/>", "cannot be read"),
        ("xl/worksheets/sheet1.xml", '<x><row><c t="s"><v>7</v></c></row></x>', "does not hold"),
        ("xl/worksheets/sheet1.xml", '<x><row><c r="ZZZZ1"/></row></x>', "16384 are possible"),
        ("xl/worksheets/sheet1.xml", f'<x><row><c t="str"><v>{"a" * 131_073}</v></c></row></x>', "131,072 characters"),
        ("xl/worksheets/sheet1.xml", '<x><row r="many"/></x>', "cannot be read"),
        ("xl/worksheets/sheet1.xml", "<x><row><c><v>1</v></c></row></y>", "cannot be read"),
        ("xl/sharedStrings.xml", f"<x><si><t>{'a' * 131_073}</t></si></x>", "131,072 characters"),
    ],
)
def test_a_damaged_or_hostile_workbook_is_refused(workbook: Write, part: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as failure:
        read_sheet(workbook(["<c><v>1</v></c>"], **{part: text}))
    assert failure.value.code == "E_MANIFEST"


def test_a_cell_far_to_the_right_does_not_make_all_lines_wide(workbook: Write) -> None:
    cells = "".join(f'<row r="{i}"><c t="str"><v>a{i}</v></c></row>' for i in range(1, 301))
    sheet = (
        f'<worksheet><cols>{"".join(f"""<col min="{n}" max="16384" hidden="1"/>""" for n in range(1, 16_385))}</cols>'
        f'<sheetData>{cells}</sheetData><mergeCells><mergeCell ref="XFD5:XFD6"/></mergeCells></worksheet>'
    )
    path = workbook([], **{"xl/worksheets/sheet1.xml": sheet})
    tracemalloc.start()
    try:
        found = read_sheet(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.rows) == 299 and peak < 16 * 2**20, peak
    assert found.notes == ("hidden columns are read as the others are: 1, as A",)


def test_a_list_of_short_lines_below_many_headings_is_refused(
    workbook: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would have a cell of every column."""
    monkeypatch.setattr(sheet_module, "MAX_TABLE_CELLS", 100)
    (tmp_path / "a.csv").write_text(",".join(f"c{n}" for n in range(20)) + "\n" + "1\n" * 10)
    for path in (tmp_path / "a.csv", workbook(['<c r="T1" t="str"><v>x</v></c>'] + ["<c><v>1</v></c>"] * 10)):
        with pytest.raises(
            SettingsError, match=r"20 columns and 11 rows, more than 100 cells\. Remove what stands far to the right"
        ):
            read_sheet(path)


def test_control_characters_of_texts_are_those_that_were_typed(workbook: Write) -> None:
    """Spreadsheets write them as _xHHHH_; texts that were pasted from databases end in _x000D_."""
    shared = "<si><t>group_x000D_</t></si><si><t>AD_x000D_</t></si><si><r><t>A</t></r><r><t>D_x000D_</t></r></si>"
    head = '<c t="s"><v>0</v></c><c t="inlineStr"><is><t>Patient_x000D_\nID</t></is></c>'
    rows = [
        '<c t="s"><v>1</v></c><c t="str"><f>B1</f><v>p_x000A_1</v></c>',
        '<c t="s"><v>2</v></c><c t="str"><v>_x005F_x000D_</v></c>',
        '<c t="str"><v>AD</v></c><c t="str"><v>tile_x0010_y0020_.svs _x0000_ _xD83D_</v></c>',
    ]
    sheet = read_sheet(workbook([head, *rows], shared=shared))
    assert sheet.names == ("group", "Patient\r\nID") and meanings(sheet.names)["Patient\r\nID"] == "subject"
    assert [cells["group"] for _, cells in sheet.rows] == ["AD"] * 3
    assert [cells["Patient\r\nID"] for _, cells in sheet.rows] == [
        "p\n1", "_x000D_", "tile_x0010_y0020_.svs _x0000_ _xD83D_",
    ]  # fmt: skip


def test_no_part_and_no_sheet_outgrows_its_limit(workbook: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(['<c r="C1"><v>1</v></c>'] * 3)
    monkeypatch.setattr(module, "MAX_CELLS", 8)
    with pytest.raises(SettingsError, match="more than 8 cells"):
        read_sheet(path)
    monkeypatch.setattr(module, "MAX_MEMBER_BYTES", 64)
    with pytest.raises(SettingsError, match="more than 0 MB"):
        read_sheet(path)


def test_other_archives_and_old_workbooks_say_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    (tmp_path / "cut.csv").write_bytes(b"PK\x03\x04" + bytes(20))
    for name in ("a.xlsx", "old.xls", "cut.csv"):
        with pytest.raises(SettingsError, match="CSV in UTF-8"):
            read_sheet(tmp_path / name)


def test_a_formula_has_its_stored_value_and_one_without_is_an_error_that_names_the_cell(workbook: Write) -> None:
    head = '<c t="str"><v>path</v></c><c t="str"><v>note</v></c>'
    saved = '<c r="A2" t="str"><f>B1</f><v>a.svs</v></c><c r="B2" t="str"><f>""</f><v></v></c>'
    assert read_sheet(workbook([head, saved])).rows == ((2, {"path": "a.svs", "note": ""}),)
    for unsaved in ('<c r="A2"><f>B1&amp;"x"</f></c>', '<c r="A2"><f>B1</f><v/></c>'):
        with pytest.raises(SettingsError, match="sheet 'Slides': A2: a formula without a stored value") as failure:
            read_sheet(workbook([head, unsaved]))
        assert failure.value.code == "E_MANIFEST"


def test_cells_merged_over_rows_have_their_value_in_each_and_hidden_ones_are_read_and_said(
    workbook: Write, text_cells: Callable[..., str]
) -> None:
    rows = [
        text_cells("Study"),
        text_cells("path", "subject"),
        text_cells("a", "p1"),
        text_cells("b"),
        text_cells("c", "p2"),
    ]
    cells = "".join(f'<row r="{i}" hidden="{int(i == 5)}">{row}</row>' for i, row in enumerate(rows, 1))
    sheet = (
        f'<worksheet><cols><col min="2" max="9" hidden="1"/></cols><sheetData>{cells}</sheetData>'
        '<mergeCells><mergeCell ref="A1:B1"/><mergeCell ref="B3:B4"/></mergeCells></worksheet>'
    )
    found = read_sheet(workbook([], **{"xl/worksheets/sheet1.xml": sheet}), lambda cells: "path" in cells)
    assert [row["subject"] for _, row in found.rows] == ["p1", "p1", "p2"]
    said = "\n".join(found.notes)
    assert "hidden rows are read as the others are: 1, as 5" in said
    assert "hidden columns are read as the others are: 1, as B" in said
    assert "merged cells have their value in every row of theirs: 1, as B3 to 4" in said


def test_numbers_are_read_as_their_cells_show_them(workbook: Write) -> None:
    styles = (
        '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="000"/><numFmt numFmtId="165" formatCode="dd\\.mm\\.yyyy"/>'
        '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>'
    )
    row = "".join(
        f'<c s="{style}"><v>{value}</v></c>' for style, value in ((0, 45413), (1, 45413), (2, 7), (3, 45413.25))
    )
    head = "".join(f'<c t="str"><v>{name}</v></c>' for name in ("path", "day", "id", "time"))
    parts = {"xl/styles.xml": styles}
    assert read_sheet(workbook([head, row], **parts)).rows == (
        (2, {"path": "45413", "day": "2024-05-01", "id": "007", "time": "2024-05-01T06:00:00"}),
    )
    books = {
        "xl/workbook.xml": '<workbook><workbookPr date1904="1"/><sheets><sheet name="a" id="rId1"/></sheets></workbook>'
    }
    assert read_sheet(workbook([head, row], **parts, **books)).rows[0][1]["day"] == "2028-05-02"
    last = '<c><v>1</v></c><c s="1"><v>2958465</v></c><c><v>1</v></c>'  # counted from 1904, a day of the year 10004
    assert read_sheet(workbook([head, last], **parts, **books)).rows[0][1]["day"] == "2958465"


def test_letters_of_other_alphabets_name_no_column(workbook: Write) -> None:
    assert read_sheet(workbook(['<c r="A1" t="str"><v>path</v></c><c r="ß1" t="str"><v>x</v></c>'])).names == ("path",)


def test_texts_around_numbers_and_durations_are_as_their_cells_show_them(workbook: Write) -> None:
    codes = (
        "&quot;P&quot;000",
        "[h]:mm",
        "\\S0&quot; x&quot;",
        "[Red]00",
        "#,##0",
        "[$-409]&quot;€ &quot;0",
        "000-000",
    )
    formats = "".join(f'<numFmt numFmtId="{164 + i}" formatCode="{code}"/>' for i, code in enumerate(codes))
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in (46, *range(164, 164 + len(codes))))
    values = ("1.25", "7", "1.25", "12", "7", "1234", "5", "12345")
    row = "".join(f'<c s="{i}"><v>{value}</v></c>' for i, value in enumerate(values))
    head = "".join(f'<c t="str"><v>c{i}</v></c>' for i in range(len(values)))
    sheet = f"<styleSheet><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>"
    ((_, cells),) = read_sheet(workbook([head, row], **{"xl/styles.xml": sheet})).rows
    assert list(cells.values()) == ["30:00:00", "P007", "30:00", "S12 x", "07", "1234", "5", "012-345"]


def formatted(workbook: Write, code: str, *values: str) -> Sheet:
    """A sheet with one column of numbers in a format."""
    code = code.replace('"', "&quot;")
    styles = f'<numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs>'
    rows = [f'<c s="0"><v>{value}</v></c>' for value in values]
    return read_sheet(
        workbook(['<c t="str"><v>n</v></c>', *rows], **{"xl/styles.xml": f"<styleSheet>{styles}</styleSheet>"})
    )


@pytest.mark.parametrize("unit", ["points", "pts", "Monate"])
@pytest.mark.parametrize("number", ["0", "0.0"])
def test_a_number_with_a_word_behind_it_that_is_no_unit_stays_a_number_and_the_word_is_named(
    workbook: Write, number: str, unit: str
) -> None:
    sheet = formatted(workbook, f'{number} "{unit}"', "27", "28")
    assert [cells["n"] for _, cells in sheet.rows] == ["27", "28"]
    assert sheet.notes == (f"words that only the formats of cells show beside numbers are not read: {unit!r} 2",)


def test_a_unit_or_sign_behind_a_number_is_no_word_that_is_lost(workbook: Write) -> None:
    for code, shown in (('0 "months"', "27 months"), ('0" /30"', "27"), ('0 "€"', "27"), ('"P"0', "P27")):
        sheet = formatted(workbook, code, "27")
        assert sheet.rows == ((2, {"n": shown}),) and sheet.notes == ()


@pytest.mark.parametrize("code", ['[h] "hours"', '[hh]" hrs"', '[h] "Std"', '[h]" h and m"'])
def test_letters_of_a_quoted_text_are_no_units_of_a_duration(workbook: Write, code: str) -> None:
    sheet = formatted(workbook, code, "1.25", "1.26")
    assert [cells["n"] for _, cells in sheet.rows] == ["30", "30"]


def test_a_row_that_ends_before_the_headings_has_empty_cells(workbook: Write, text_cells: Callable[..., str]) -> None:
    sheet = read_sheet(workbook([text_cells("path", "dx", "age"), text_cells("a", "AD")]))
    assert sheet.rows == ((2, {"path": "a", "dx": "AD", "age": ""}),)

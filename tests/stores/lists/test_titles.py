"""Headings are found below titles, empty rows and sheets of other things; what was passed over is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.lists.image_list import ImageList, read_list
from tile_engine.stores.slides.cohort import find_slides

ROLES = frozenset({"path", "subject", "site", "mpp"})
Write = Callable[..., Path]


def listed(path: Path, text: str, encoding: str = "utf-8") -> ImageList:
    path.write_bytes(text.encode(encoding))
    return read_list(path, ROLES)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_titles_above_the_headings_are_passed_over_and_said(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["File", "Größe", "Patient ID"], ["a.svs", "63,5" if delimiter != "," else "63.5", "p1"]]
    text = 'Study XYZ, 2024, "final"\n\nby; me\n' + "\n".join(delimiter.join(row) for row in rows) + "\n\n"
    found = listed(tmp_path / "list.csv", text, encoding)
    assert found.headings == {"path": "File", "Größe": "Größe", "subject": "Patient ID"} and not found.problems
    assert [row["path"] for _, row in found.rows] == ["a.svs"] and found.rows[0][0] == 5
    assert any("2 rows above the headings, which are in line 4" in note and "Study XYZ" in note for note in found.notes)


def test_a_title_that_is_a_usual_heading_is_a_title_where_the_list_has_several_columns(tmp_path: Path) -> None:
    assert listed(tmp_path / "a.csv", "Scan\npath;age\na.svs;6\n").headings == {"path": "path", "age": "age"}
    assert listed(tmp_path / "b.csv", "Scan\na.svs\n").headings == {"path": "Scan"}


def test_cells_of_a_list_that_name_columns_are_no_headings(tmp_path: Path) -> None:
    found = listed(tmp_path / "a.csv", "path,arm\na.svs,case\nimage,subject\n")
    assert len(found.rows) == 2 and list(found.headings) == ["path", "arm"]


def test_a_row_of_values_below_unknown_headings_is_no_row_of_headings(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("Datei,Bild,Größe\nx,a.svs,slide\ny,b.svs,slide\n".encode("cp1252"))
    with pytest.raises(SettingsError, match="'path' is missing; there are 'Datei', 'Bild', 'Größe'") as failure:
        find_slides(tmp_path / "list.csv")
    assert "Is not in UTF-8; it is read as Windows-1252" in failure.value.message
    found = listed(tmp_path / "a.csv", "Titel,Studie\nslide,patient\na.svs,p1\n")
    assert list(found.headings) == ["path", "subject"]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("Study,ADNI\nFile,Diagnosis\na.svs,AD\n", {"path": "File", "Diagnosis": "Diagnosis"}),
        ("Study,ADNI\npath,bmi\na.svs,21\n", {"path": "path", "bmi": "bmi"}),
        ("Slides of 2024\npath\na.svs\n", {"path": "path"}),
    ],
)
def test_one_usual_heading_beside_classes_or_the_very_name_is_enough_below_a_title_as_wide(
    tmp_path: Path, text: str, headings: dict[str, str]
) -> None:
    found = listed(tmp_path / "list.csv", text)
    assert found.headings == headings and len(found.rows) == 1 and "1 row above the headings" in found.notes[0]


def test_without_headings_the_error_says_what_was_looked_for_and_shows_the_first_rows(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Study XYZ, 2024\nBrain;Years;Sex\nx.nii;61;F\n")
    with pytest.raises(SettingsError) as failure:
        find_slides(tmp_path / "list.csv")
    for text in (
        "'path' is missing",
        "such as path, file name, image",
        "Study XYZ, 2024; Brain | Years | Sex; x.nii | 61 | F",
    ):
        assert text in failure.value.message


def test_a_workbook_is_searched_for_the_sheet_and_the_row_of_the_headings(
    workbook: Write, text_cells: Callable[..., str]
) -> None:
    table = [text_cells("Study XYZ, 2024"), "", text_cells("Image", "ID"), text_cells("a.svs", "p1")]
    sheet = "".join(f'<row r="{i}">{row}</row>' for i, row in enumerate(table, 1))
    parts = {"xl/worksheets/sheet2.xml": f"<worksheet><sheetData>{sheet}</sheetData></worksheet>"}
    sheets = ('name="Read me"', 'name="Images"')
    found = read_list(workbook([text_cells("Legend")], sheets=sheets, **parts), ROLES)
    assert found.rows == ((4, {"path": "a.svs", "subject": "p1"}),)
    assert "the sheet 'Images' is read; others are not: 'Read me'" in found.notes[0]
    assert "1 row above the headings, which are in line 3" in found.notes[1]


def test_cells_without_a_heading_are_counted(workbook: Write, text_cells: Callable[..., str]) -> None:
    rows = [
        text_cells("path", "", "age", "", " "),
        text_cells("a", "x", "6", "", ""),
        text_cells("b", "", "7", "see me"),
    ]
    found = read_list(workbook(rows), ROLES)
    assert [row for _, row in found.rows] == [{"path": "a", "age": "6"}, {"path": "b", "age": "7"}]
    said = [note for note in found.notes if "has no heading" in note]
    assert said == [
        "list.xlsx: column B has no heading: 1 cell of it is not read",
        "list.xlsx: column D has no heading: 1 cell of it is not read",
    ]


def test_trailing_blank_rows_and_columns_and_unseen_signs_are_nothing(tmp_path: Path) -> None:
    found = listed(tmp_path / "list.csv", "path,age,,\n a.svs\u200b,\u00a061,,\n,,,\n,,,\n")
    assert found.rows == ((2, {"path": "a.svs", "age": "61"}),) and len(found.notes) == 1

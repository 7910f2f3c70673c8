"""What a list was taken for is said, cell by cell where it is not plain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.lists.image_list import read_list

ROLES = frozenset({"path", "subject", "site"})


def notes(folder: Path, text: str) -> list[str]:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return [note.removeprefix("list.csv: ") for note in read_list(folder / "list.csv", ROLES).notes]


def test_what_columns_were_taken_for_is_said(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "File Name,Subject ID,Stain,age,group\na.svs,s1,HE,61,x\n")
    assert note == "path <- File Name, subject <- Subject ID, stain <- Stain; kept as they are: age, group"


def test_missing_subjects_and_values_are_counted(tmp_path: Path) -> None:
    said = notes(tmp_path, "path,subject,site\na,s1,n/a\nb,NA,\nc,n/a,x\n")
    assert said[1] == "cells that say that there is no value: 'n/a' 2, 'NA' 1"
    assert said[2] == "2 of 3 rows name no subject: each is a subject of its own"


def test_numbers_that_were_read_otherwise_or_not_are_said(tmp_path: Path) -> None:
    said = notes(tmp_path, "path;age;stage\na;61,5;2a\nb;89+;2b\nc;old;3\nd;70;1\ne;71;1a\n")
    assert said[1:] == [
        "age: read as numbers: 2 cells, such as '61,5 -> 61.5', '89+ -> 89'; no ages up to 120 years, and left out of figures: "
        "1 cell, such as 'old'"
    ]


def test_a_number_with_another_decimal_sign_than_most_is_said(tmp_path: Path) -> None:
    said = notes(tmp_path, "path;volume\na;3.412\nb;2.981\nc;4.200\nd;3,4\n")
    assert said[1:] == [
        "volume: no numbers, or in another unit, or with another decimal sign than most, and left out of figures: 1 cell, "
        "such as '3,4'"
    ]


def test_numbers_of_classes_are_no_measurements(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 3},{i % 2},{i % 2}\n" for i in range(9)) + "x,-9,999,999\n"
    assert len(notes(tmp_path, "path,label,site,Diagnosis\n" + rows)) == 1


def test_ages_that_are_mostly_ranges_are_said_to_be_in_no_figure(tmp_path: Path) -> None:
    said = notes(tmp_path, "path,age\na,60-65\nb,70-75\nc,66\n")
    assert said[1] == (
        "age: most cells are no ages in numbers, so no figure uses the column: such as '60-65', '70-75', '66'"
    )


def test_values_stand_under_their_meaning(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Path,participant_id,Label,sex\na.svs,n/a,1,F\n")
    assert read_list(tmp_path / "list.csv", ROLES).rows == (
        (2, {"path": "a.svs", "subject": "", "label": "1", "sex": "F"}),
    )


def test_a_list_that_is_gone_is_an_error_of_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read") as failure:
        read_list(tmp_path / "gone.csv", ROLES)
    assert failure.value.code == "E_MANIFEST"

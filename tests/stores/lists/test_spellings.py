"""One value has one spelling in every run, and what was joined is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.lists.spellings import same_values, sex_of
from tile_engine.stores.slides.cohort import find_slides


def test_the_most_frequent_spelling_stands_for_all_and_of_equals_the_first() -> None:
    assert same_values("diagnosis", ["ad", "AD", "AD", "CN", "cn", ""]) == {"ad": "AD", "cn": "CN"}
    assert same_values("stain", ["H&E", "H & E", "h&e"]) == {"H & E": "H&E", "h&e": "H&E"}
    assert same_values("group", ["A", "B", "AB"]) == {}


def test_words_for_a_sex_are_one_value_each_and_other_columns_have_no_such_words() -> None:
    texts = ["Male", "m", "M", "male", "female", "w", "2"]
    assert {same_values("sex", texts).get(text, text) for text in texts} == {"Male", "female", "2"}
    assert set(same_values("group", texts)) == {"male", "M"}
    assert [sex_of(text) for text in ("MALE", "Frau", "other", "")] == ["m", "f", "o", ""]


def test_numbers_names_and_files_stay_as_they_are() -> None:
    assert same_values("age", ["70 y", "70 Y", "71"]) == {}
    assert same_values("mask", ["A.nii", "a.nii"]) == {}
    comments = [f"comment {i}" for i in range(20)]
    assert same_values("comment", [*comments, "Comment 3"]) == {}
    assert same_values("diagnosis", [*comments, "Comment 3"]) == {"Comment 3": "comment 3"}
    assert same_values("grade", [*comments, "Comment 3"], {"grade"}) == {"Comment 3": "comment 3"}
    assert same_values("subject", [*comments, "Comment 3"]) == {"Comment 3": "comment 3"}


def cohort(folder: Path, text: str) -> Path:
    for name in "abcd":
        (folder / f"{name}.svs").write_bytes(b"II*\0" + name.encode())
    (folder / "list.csv").write_text(text)
    return folder / "list.csv"


def test_entries_of_a_list_have_one_spelling_and_a_warning_names_both(tmp_path: Path) -> None:
    rows = "a.svs,P1,AD,M,Site 1\nb.svs,p1,ad,male,site1\nc.svs,P2,AD,F,\nd.svs,,CN,,Site 1\n"
    found = find_slides(cohort(tmp_path, "path,Patient_ID,dx,Gender,centre\n" + rows))
    assert [(e.subject, e.site, e.extra["dx"], e.extra["sex"]) for e in found.entries] == [
        ("P1", "Site 1", "AD", "M"), ("P1", "Site 1", "AD", "M"), ("P2", "", "AD", "F"), ("", "Site 1", "CN", ""),
    ]  # fmt: skip
    said = "\n".join(found.warnings)
    for text in (
        "column `dx` that differ in case or blanks alone are one value: 'ad' (1) taken for 'AD' (2)",
        "column `sex` that mean one sex are one value: 'male' (1)",
        "column `subject` that differ in case or blanks alone are one value: 'p1' (1)",
        "column `site` that differ in case or blanks alone are one value: 'site1' (1)",
    ):
        assert text in said


def test_a_row_that_stands_twice_is_left_out_and_said_and_one_that_disagrees_is_refused(tmp_path: Path) -> None:
    found = find_slides(cohort(tmp_path, "path,age\na.svs,6\nb.svs,7\na.svs,6\n"))
    assert [e.name for e in found.entries] == ["a.svs", "b.svs"]
    assert found.warnings == ("list.csv: rows that say the same twice are left out: 1 row: 'line 4, as line 2'",)
    found = find_slides(cohort(tmp_path, "path,dx,sex\na.svs,AD,M\na.svs,ad,male\nb.svs,CN,F\n"))
    assert [e.extra["dx"] for e in found.entries] == ["AD", "CN"] and "twice are left out: 1 row" in found.warnings[0]
    with pytest.raises(SettingsError, match=r"line 3: .a\.svs. is the same file as in line 2, with another age"):
        find_slides(cohort(tmp_path, "path,age\na.svs,6\na.svs,7\n"))
    with pytest.raises(SettingsError, match=r"line 3: .* with another dx"):  # the first row ends before its dx
        find_slides(cohort(tmp_path, "path,dx\na.svs\na.svs,AD\n"))

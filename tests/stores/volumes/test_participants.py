"""Tables of participants and trees of images: both sides are counted, and a table that hardly fits is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.volumes.participants import Participants, read_participants

PRESENT = [f"sub-{i:02d}" for i in range(1, 5)]


def joined(folder: Path, text: str | bytes, present: list[str] = PRESENT) -> Participants:
    (folder / "participants.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_participants(folder / "participants.tsv", [(*one.split("_ses-"), "")[:2] for one in present], "T1w")


def test_numbers_match_subjects_of_the_tree_and_that_is_said(tmp_path: Path) -> None:
    found = joined(tmp_path, "participant_id\tLabel\tage\n" + "".join(f"{i}\tAD\t{60 + i}\n" for i in range(1, 5)))
    assert found.rows["sub-03", ""] == {"label": "AD", "age": "63"} and not found.warnings
    assert "4 subjects: '1 -> sub-01'" in found.notes[-1]


def test_old_line_ends_marks_and_bounds_are_read(tmp_path: Path) -> None:
    table = "participant_id\tage\tsite\r01\t89+\tUlm\r02\tn/a\t\r03\t61\t\r04\t7\t\r"
    found = joined(tmp_path, b"\xef\xbb\xbf" + table.encode())
    assert found.rows["sub-02", ""] == {"age": "", "site": ""} and found.rows["sub-01", ""]["site"] == "Ulm"
    assert any("'89+ -> 89'" in note for note in found.notes) and any("'n/a' 1" in note for note in found.notes)


def test_rows_and_subjects_without_a_counterpart_are_counted_and_named(tmp_path: Path) -> None:
    found = joined(tmp_path, "participant_id\nsub-01\nsub-02\nsub-03\nsub-09\n")
    assert found.warnings == (
        "participants.tsv: 1 of 4 rows have no T1w image: 'sub-09'",
        "participants.tsv: 1 of 4 subjects with an image have no row, and no labels: 'sub-04'",
    )
    assert found.without_image == ("sub-09",)


def test_a_part_of_a_large_study_fits_its_table(tmp_path: Path) -> None:
    found = joined(tmp_path, "participant_id\n" + "".join(f"sub-{i:02d}\n" for i in range(1, 90)))
    assert len(found.rows) == 4 and "85 of 89 rows" in found.warnings[0]


def test_a_table_that_hardly_fits_is_refused_with_both_sides(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as failure:
        joined(tmp_path, "participant_id\tage\nsub-01\t21\nsub-09\t40\nsub-1\t33\n")
    assert failure.value.code == "E_MANIFEST"
    for text in ("2 of 3 rows", "'sub-09', 'sub-1'", "3 of 4 subjects", "'sub-02', 'sub-03', 'sub-04'"):
        assert text in failure.value.message


def test_subjects_that_are_missing_or_appear_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as failure:
        joined(tmp_path, "Subject ID\tage\nsub-01\t3\n01\t4\nn/a\t5\n")
    for text in ("line 3: '01' appears twice", "line 4: Subject ID is empty"):
        assert text in failure.value.message


@pytest.mark.parametrize("rows", ["01\tAD\n01\tAD\t70\n", "01\tAD\t70\n01\tAD\n"])
def test_a_row_that_ends_before_its_last_columns_has_them_empty(tmp_path: Path, rows: str) -> None:
    with pytest.raises(SettingsError, match="line 3: '01' appears twice"):
        joined(tmp_path, "participant_id\tdx\tage\n" + rows)


VISITS = ["sub-01_ses-01", "sub-02_ses-01", "sub-02_ses-02"]


def test_the_one_row_of_a_session_says_nothing_of_the_subjects_other_sessions(tmp_path: Path) -> None:
    found = joined(tmp_path, "participant_id\tsession_id\tdx\n01\tses-01\tCN\n02\tses-01\tMCI\n", VISITS)
    assert found.row_of("sub-02", "01")["dx"] == "MCI" and found.row_of("sub-02", "02") == {}
    assert any(
        "1 of 3 images are of sessions without a row" in text and "sub-02_ses-02" in text for text in found.warnings
    )
    plain = joined(tmp_path, "participant_id\tdx\n01\tCN\n02\tMCI\n", VISITS)
    assert plain.row_of("sub-02", "02")["dx"] == "MCI" and not plain.warnings
    stated = joined(tmp_path, "participant_id\tsession\tdx\n01\t1\tCN\n02\tbaseline\tMCI\n", ["sub-01", "sub-02"])
    assert stated.row_of("sub-02", "")["dx"] == "MCI" and not stated.warnings


def test_a_subject_with_a_row_of_another_session_has_a_row(tmp_path: Path) -> None:
    images = ["sub-01_ses-01", "sub-02_ses-02", "sub-03_ses-01"]
    found = joined(tmp_path, "subject\tsession\tdx\n01\t01\tCN\n02\t01\tMCI\n", images)
    assert found.warnings == (
        "participants.tsv: 1 of 2 rows have no T1w image: '02_ses-01'",
        "participants.tsv: 1 of 3 subjects with an image have no row, and no labels: 'sub-03'",
        "participants.tsv: 1 of 3 images are of sessions without a row, and have no labels: 'sub-02_ses-02'",
    )


def test_sessions_match_across_spellings_and_that_is_said(tmp_path: Path) -> None:
    found = joined(tmp_path, "subject\tsession\tdx\n01\t1\tCN\n02\t1\tMCI\n02\t2\tAD\n", VISITS)
    assert [found.row_of(*one.split("_ses-"))["dx"] for one in VISITS] == ["CN", "MCI", "AD"]
    assert "2 sessions: '1 -> 01', '2 -> 02'" in found.notes[-1] and not found.warnings


def test_sessions_that_hardly_fit_are_refused_although_their_subjects_fit(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as failure:
        joined(tmp_path, "subject\tsession\tdx\n01\tM0\tCN\n02\tM0\tMCI\n02\tM6\tAD\n", VISITS)
    assert "3 of 3 rows" in failure.value.message and "'01_ses-M0'" in failure.value.message


def test_rows_that_differ_in_spelling_alone_say_the_same(tmp_path: Path) -> None:
    found = joined(tmp_path, "subject\tdx\tsex\n01\tAD\tM\n01\tad\tmale\n02\tCN\tF\n03\tCN\tF\n04\tCN\tF\n")
    assert "say the same twice" in found.warnings[-1]

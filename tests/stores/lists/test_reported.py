"""Lists as public reports of other programs describe them: what does not fit is said; docs/faults.md names the reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tile_engine.errors import SettingsError
from tile_engine.stores.slides.cohort import find_slides
from tile_engine.stores.volumes.participants import read_participants


def listed(folder: Path, names: tuple[str, ...], text: str) -> Path:
    for name in names:
        tifffile.imwrite(folder / name, np.zeros((16, 16, 3), np.uint8), photometric="rgb", metadata=None)
    (folder / "list.csv").write_text(text)
    return folder / "list.csv"


@pytest.mark.parametrize(
    ("names", "text", "columns"),
    [
        # mahmoodlab/CLAM#90, sdv-dev/SDV#2780: names of digits were numbers, and lost their zeros
        (("0012.tif", "0345.tif"), "slide_id,label\n0012,a\n0345,b\n", {"0012.tif": "a", "0345.tif": "b"}),
        # slideflow/slideflow#292: names without their suffix fitted nothing
        (("a.tif", "b.tif"), "patient,slide,label\np1,a,x\np2,b,y\n", {"a.tif": "x", "b.tif": "y"}),
        # mahmoodlab/TRIDENT#60: its own lists say wsi
        (("a.png.tif", "b.tif"), "wsi,mpp,label\na.png.tif,0.25,x\nb.tif,0.25,y\n", {"a.png.tif": "x", "b.tif": "y"}),
    ],
)
def test_names_are_joined_as_they_are_meant(
    tmp_path: Path, names: tuple[str, ...], text: str, columns: dict[str, str]
) -> None:
    found = find_slides(listed(tmp_path, names, text)).entries
    assert {entry.name: entry.extra["label"] for entry in found} == columns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # mahmoodlab/CLAM#90, fastai/fastai#1008: a spreadsheet dropped the zeros
        ("slide_id,label\n1,a\n2,b\n", ("line 2: '1' does not exist", "line 3: '2'")),
        # slideflow/slideflow#32: rows without a slide, and a slide of two patients
        ("patient,slide\np1,001\np2,NA\n", ("line 3: the path is empty",)),
        ("patient,slide\np1,001\np2,001\n", ("line 3: '001' is the same file as in line 2",)),
    ],
)
def test_rows_that_fit_nothing_are_named_before_any_work(tmp_path: Path, text: str, said: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as failure:
        find_slides(listed(tmp_path, ("001.tif", "002.tif"), text))
    assert failure.value.code == "E_MANIFEST" and all(words in failure.value.message for words in said)


def test_subjects_with_and_without_leading_zeros_are_the_same(tmp_path: Path) -> None:
    """bids-standard/legacy-validator#1674, incf-nidash/PyNIDM#84."""
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\nsub-1\t20\nsub-2\t30\nsub-10\t40\n")
    found = read_participants(table, [("sub-001", ""), ("sub-002", ""), ("sub-010", "")], "T1w")
    ages = {subject: row["age"] for (subject, _), row in found.rows.items()}
    assert ages == {"sub-001": "20", "sub-002": "30", "sub-010": "40"}
    assert any("'sub-1 -> sub-001'" in note for note in found.notes)


def test_subjects_without_a_row_and_rows_without_a_subject_are_named(tmp_path: Path) -> None:
    """mne-tools/mne-bids#1607, bids-standard/bids-examples#445: the one ended a program, the other was never noticed."""
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\nsub-01\t20\nsub-02\t30\nsub-09\t40\n")
    found = read_participants(table, [("sub-01", ""), ("sub-02", ""), ("sub-03", "")], "T1w")
    assert any("'sub-09'" in text for text in found.warnings) and any("'sub-03'" in text for text in found.warnings)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """mne-tools/mne-bids-pipeline#600: a table with the column participant_id twice."""
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tparticipant_id\tage\nsub-01\tCQ2\t18\nsub-02\tBT4\t28\n")
    with pytest.raises(SettingsError, match="'participant_id' appears 2 times") as failure:
        read_participants(table, [("sub-01", ""), ("sub-02", "")], "T1w")
    assert failure.value.code == "E_MANIFEST"


def test_a_path_that_no_disk_takes_is_a_problem_of_the_list(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as failure:
        find_slides(listed(tmp_path, ("a.tif",), "path\n" + "x/" * 2500 + "a.tif\n" + "y" * 300 + ".tif\n"))
    assert (
        failure.value.code == "E_MANIFEST" and "line 2" in failure.value.message and "line 3" in failure.value.message
    )

"""Files are found in the spellings that lists have, and never by a spelling that fits two."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tile_engine.stores.lists.file_names import FileNames

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Präparat 1.tif") for form in ("NFC", "NFD"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("S1.tif", "case.svs", "case.ndpi", "brain.nii.gz", "stack.ome.zarr", "v1.0.svs"):
        (tmp_path / "in" / name).touch()
    return tmp_path


@pytest.mark.parametrize(("there", "listed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_accents_match_composed_or_not_in_folders_too(folder: Path, there: str, listed: str) -> None:
    (folder / f"{there} folder").mkdir()
    (folder / f"{there} folder" / there).touch()
    found = FileNames(folder, [".tif"]).find(f"{listed} folder/{listed}")
    assert found.exists and found.respelt and found.path == folder / f"{there} folder" / there
    assert FileNames(folder, [".tif"]).find(str(folder / f"{listed} folder" / listed)).path == found.path


@pytest.mark.parametrize(
    ("cell", "name"),
    [("in\\S1.tif", "S1.tif"), ("in/S1", "S1.tif"), ("in/brain", "brain.nii.gz"), ("in/stack", "stack.ome.zarr"),
     ("in/v1.0", "v1.0.svs")],
)  # fmt: skip
def test_separators_and_left_out_suffixes_match(folder: Path, cell: str, name: str) -> None:
    found = FileNames(folder, [".tif", ".svs", ".ndpi", ".nii.gz"]).find(cell)
    assert found.path == folder / "in" / name and found.respelt


@pytest.mark.parametrize("cell", ["in/case", "in/s1.tif", "gone/x.svs", "C:\\data\\S1.tif", "x" * 5000, "in/S1.tif/y"])
def test_what_fits_no_file_or_several_is_absent_as_it_is_written(folder: Path, cell: str) -> None:
    found = FileNames(folder, [".tif", ".svs", ".ndpi"]).find(cell)
    assert not found.exists and found.path == folder / cell


def test_a_name_that_begins_with_a_tilde_is_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "~backup").touch()
    monkeypatch.chdir(folder)
    assert FileNames(Path(), [".tif"]).find("~backup").exists


def test_both_spellings_of_one_name_are_two_files(folder: Path) -> None:
    (folder / COMPOSED).touch()
    (folder / DECOMPOSED).touch()
    names = FileNames(folder, [".tif"])
    assert [names.find(name).path.name for name in (COMPOSED, DECOMPOSED)] == [COMPOSED, DECOMPOSED]

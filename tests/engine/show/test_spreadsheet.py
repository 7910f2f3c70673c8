"""CSV files hold text as text."""

import csv

from tile_engine.engine.show.spreadsheet import write_csv


def test_formulas_are_disarmed_and_numbers_are_not(tmp_path):
    rows = [{"=slide": '=cmd|"/c calc"!A1', "share": -0.25}, {"=slide": "@x", "share": None, "note": "a,b\n+c"}]
    path = write_csv(tmp_path / "shares.csv", rows)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read == [["'=slide", "share", "note"], ['\'=cmd|"/c calc"!A1', "-0.25", ""], ["'@x", "", "a,b\n+c"]]
    assert [p.name for p in tmp_path.iterdir()] == ["shares.csv"]


def test_columns_can_be_named_even_without_rows(tmp_path):
    assert write_csv(tmp_path / "a.csv", [], columns=["slide", "cluster 1"]).read_text() == "slide,cluster 1\n"

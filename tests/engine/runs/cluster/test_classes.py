"""Names, colours and merges from a CSV: what is read, and every input that is refused, with its row."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tile_engine.engine.runs.cluster.classes import read_classes
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.show.spreadsheet import write_csv


def written(folder: Path, text: str) -> Path:
    (folder / "classes.csv").write_text(text, encoding="utf-8")
    return folder / "classes.csv"


def test_names_colours_and_merges_are_read_and_other_columns_are_not(tmp_path: Path) -> None:
    text = '\ufeffname,cluster,into,share,colour\n Tumour ,2,,0.5,#FF8800\n,7,2,,\n"Stroma, loose",1,,,\n'
    assert read_classes(written(tmp_path, text)) == (
        (2, "Tumour", "#ff8800", 0),
        (7, "", "", 2),
        (1, "Stroma, loose", "", 0),
    )
    assert read_classes(written(tmp_path, "cluster\n3\n")) == ((3, "", "", 0),)


def test_other_headings_of_a_column_count_and_columns_that_are_not_read_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, "Cluster,Color,Merge into,share,Remark\n1,#ff8800,,0.5,x\n2,,1,0.5,y\n")
    for _ in range(2):
        assert read_classes(path) == ((1, "", "#ff8800", 0), (2, "", "", 1))
    assert caplog.messages == [f"classes: {path}: columns that are not read: Remark"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,colour\na,#000000\n", "has no column `cluster`; it has name, colour"),
        ("", "it has no columns"),
        ("cluster,name\n,a\n", "line 2: the cluster is empty"),
        ("cluster,name\n1,a\nx,b\n", "line 3: cluster 'x' is no number"),
        ("cluster\n0\n", "cluster '0' is no number"),
        ("cluster\n256\n", "cluster '256' is no number"),
        ("cluster,into\n1,-2\n", "into '-2' is no number"),
        ("cluster,into\n4,4\n", "cluster 4 is merged into itself"),
        ("cluster,colour\n1,red\n", "the colour 'red' is not of the form #1f77b4"),
        ("cluster,colour\n1,#12345\n", "not of the form"),
        (f"cluster,name\n1,{'a' * 81}\n", "too long or not printable"),
        ("cluster,name\n1,a\tb\n", "too long or not printable"),
        ("cluster,name\n1,a\n2,b\n1,c\n", "has 2 rows of cluster 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_row(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match="classes: ") as caught:
        read_classes(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        read_classes(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match="cannot be read as a CSV"):
        read_classes(tmp_path / "picture.csv")


def test_a_name_that_was_written_for_a_spreadsheet_is_read_as_it_was(tmp_path: Path) -> None:
    write_csv(tmp_path / "classes.csv", [{"cluster": 1, "name": "-ve"}, {"cluster": 2, "name": "'t Hooft"}])
    assert [name for _, name, _, _ in read_classes(tmp_path / "classes.csv")] == ["-ve", "'t Hooft"]


def test_the_setting_takes_a_path_and_keeps_the_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "cluster,name\n1,a\n")
    assert ClusterSettings(classes=str(path)).classes == ((1, "a", "", 0),)
    assert ClusterSettings(classes="").classes == ()
    stored = ClusterSettings(classes=path).model_dump(mode="json")
    assert ClusterSettings.model_validate(stored).classes == ((1, "a", "", 0),)
    with pytest.raises(ValidationError, match="at least 2 clusters"):
        ClusterSettings(level=1)

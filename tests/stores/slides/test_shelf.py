"""Slides under a prefix: found by their names, with what belongs to them, and nothing that tile-engine wrote."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.errors import NoInputError, SettingsError
from tile_engine.stores.files import write_whole
from tile_engine.stores.remote import to_path
from tile_engine.stores.slides.cohort import find_slides, slide_id

IMAGE = b'{"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"multiscales": [{}]}}}'
FILES = {
    "a.svs": b"II*", "deep/b.TIFF": b"II*", "deep/c.mrxs": b"1", "deep/c/Slidedat.ini": b"2", "deep/c/x.tif": b"3",
    "d.ome.zarr/zarr.json": IMAGE, "d.ome.zarr/0/c/0/0/e.png": b"4", "e.zarr/zarr.json": b"{}", ".hidden/f.svs": b"5",
    ".g.svs": b"6", "notes.txt": b"7", "out/run.json": b"{}", "out/maps/h.png": b"8", "i/Slidedat.ini": b"9",
}  # fmt: skip


@pytest.fixture
def shelf(lab: Any) -> str:
    for name, content in FILES.items():
        write_whole(to_path(lab.url) / "slides" / name, content)
    return f"{lab.url}/slides"


def test_a_prefix_is_searched_as_a_folder_is(shelf: str) -> None:
    cohort = find_slides(shelf)
    assert [e.name for e in cohort.entries] == ["a.svs", "d.ome.zarr", "deep/b.TIFF", "deep/c.mrxs"]
    assert str(cohort.entries[0].path) == f"{shelf}/a.svs" and str(cohort.root) == shelf
    assert [e.id for e in cohort.entries] == [slide_id(e.name) for e in cohort.entries]
    assert dict(cohort.ignored) == {
        ".g.svs": "is hidden",
        ".hidden": "is hidden",
        "deep/c": "is part of c.mrxs",
        "e.zarr": "is a zarr folder without an image (no multiscales)",
        "i": "is part of an .mrxs file that is not here",
        "notes.txt": "is not named like a slide",
        "out": "was written by tile-engine",
    }


def test_ids_are_those_of_the_same_slides_on_disk(shelf: str, tmp_path: Any) -> None:
    """A cohort that moves to a bucket keeps its names."""
    for name in ("a.svs", "deep/b.TIFF"):
        write_whole(tmp_path / name, FILES[name])
    here = {e.name: e.id for e in find_slides(tmp_path).entries}
    there = {e.name: e.id for e in find_slides(shelf).entries}
    assert here.items() <= there.items()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.svs", ["a.svs"]),
        ("**/*.[Tm]*", ["deep/b.TIFF", "deep/c.mrxs"]),
        ("deep/?.TIFF", ["deep/b.TIFF"]),
        ("*", ["a.svs", "d.ome.zarr"]),
        ("deep/**", ["deep/b.TIFF", "deep/c.mrxs"]),
        ("a.svs", ["a.svs"]),
    ],
)
def test_globs(shelf: str, pattern: str, names: list[str]) -> None:
    assert [str(e.path).removeprefix(f"{shelf}/") for e in find_slides(f"{shelf}/{pattern}").entries] == names


def test_brackets_in_a_name_are_no_glob_where_an_object_has_it(shelf: str) -> None:
    write_whole(to_path(shelf) / "case [1].svs", b"II*")
    assert [e.name for e in find_slides(f"{shelf}/case [1].svs").entries] == ["case [1].svs"]
    with pytest.raises(NoInputError):
        find_slides(f"{shelf}/case [].svs")


def test_one_object_one_store_and_a_list_of_both(shelf: str, tmp_path: Any) -> None:
    assert [e.name for e in find_slides(f"{shelf}/a.svs").entries] == ["a.svs"]
    assert [e.name for e in find_slides(f"{shelf}/d.ome.zarr").entries] == ["d.ome.zarr"]
    both = find_slides([f"{shelf}/a.svs", f"{shelf}/deep"])
    assert [e.name for e in both.entries] == ["a.svs", "deep/b.TIFF", "deep/c.mrxs"]
    write_whole(tmp_path / "x.svs", b"II*")
    assert {str(e.path) for e in find_slides([tmp_path / "x.svs", f"{shelf}/a.svs"]).entries} == {
        str(tmp_path / "x.svs"),
        f"{shelf}/a.svs",
    }


def test_rows_of_a_csv_may_name_objects(shelf: str, tmp_path: Any) -> None:
    table = f"path,mpp,site\n{shelf}/a.svs,0.25,north\n"
    write_whole(tmp_path / "here.csv", table.encode())
    write_whole(to_path(shelf) / "there.csv", b"path,mpp,site\ndeep/b.TIFF,0.5,south\n")
    (row,) = find_slides(tmp_path / "here.csv").entries
    assert (str(row.path), row.mpp, row.site) == (f"{shelf}/a.svs", 0.25, "north")
    (row,) = find_slides(f"{shelf}/there.csv").entries
    assert (str(row.path), row.mpp, row.site) == (f"{shelf}/deep/b.TIFF", 0.5, "south")
    write_whole(to_path(shelf) / "up" / "there.csv", f"path\n../a.svs\n{tmp_path / 'x.svs'}\n".encode())
    write_whole(tmp_path / "x.svs", b"II*")
    rows = find_slides(f"{shelf}/up/there.csv").entries
    assert [str(row.path) for row in rows] == [f"{shelf}/a.svs", str(tmp_path / "x.svs")]
    write_whole(tmp_path / "bad.csv", f"path\n{shelf}/none.svs\n".encode())
    with pytest.raises(SettingsError, match=r"none\.svs"):
        find_slides(tmp_path / "bad.csv")


def test_nothing_there_is_said(shelf: str) -> None:
    for spec in (f"{shelf}/nothing", f"{shelf}/*.ndpi", f"{shelf}/out"):
        with pytest.raises(NoInputError):
            find_slides(spec)

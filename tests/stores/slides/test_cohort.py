"""Which files are slides, which are not and why, and what they are called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import NoInputError, SettingsError, SlideError
from tile_engine.stores.slides.cohort import Cohort, SlideEntry, _named_apart, find_slides, slide_id
from tile_engine.stores.slides.file_head import not_a_slide
from tile_engine.stores.slides.file_marks import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "slides"
    (root / "sub").mkdir(parents=True)
    for name in ("b.tif", "a.svs", "sub/c.tif"):
        tifffile.imwrite(root / name, np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    return root


def names(cohort: Cohort) -> list[str]:
    return [entry.name for entry in cohort.entries]


def reasons(cohort: Cohort) -> dict[str, str]:
    return dict(cohort.ignored)


def test_a_folder_is_searched_through_and_sorted(folder: Path) -> None:
    cohort = find_slides(folder)
    assert names(cohort) == ["a.svs", "b.tif", "sub/c.tif"]
    assert cohort.root == folder


def test_what_is_plainly_no_slide_is_listed_with_a_reason(folder: Path) -> None:
    for name in ("notes.txt", "list.csv", "meta.json", ".hidden.svs", "noname"):
        (folder / name).write_text("some words")
    cohort = find_slides(folder)
    assert len(cohort.entries) == 3
    assert reasons(cohort).keys() == {"notes.txt", "list.csv", "meta.json", ".hidden.svs", "noname"}


def test_a_broken_file_under_a_slides_name_is_an_entry(folder: Path) -> None:
    """So that it is rejected by name, with its own reason, and not passed over."""
    (folder / "empty.svs").touch()
    (folder / "error.svs").write_text("<html>404</html>")
    assert {"empty.svs", "error.svs"} <= set(names(find_slides(folder)))


def test_content_makes_a_slide_of_a_file_without_a_suffix(folder: Path) -> None:
    shutil.copyfile(folder / "b.tif", folder / "noname")
    assert "noname" in names(find_slides(folder))


def test_links_pipes_and_circles(folder: Path, tmp_path: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "dangling.svs").symlink_to(folder / "gone.svs")
    (folder / "again.tif").symlink_to(folder / "b.tif")
    shutil.copyfile(folder / "b.tif", tmp_path / "outside.tif")
    (folder / "out.tif").symlink_to(tmp_path / "outside.tif")
    os.mkfifo(folder / "pipe.svs")
    cohort = find_slides(folder)
    assert names(cohort) == ["a.svs", "b.tif", "sub/c.tif"]
    said = reasons(cohort)
    assert "searched already" in said["circle"] and "nothing" in said["dangling.svs"] and "out of" in said["out.tif"]
    assert "b.tif" in said["again.tif"] and "neither" in said["pipe.svs"]


def test_zarr_folders_are_inputs_or_nothing(folder: Path) -> None:
    import zarr

    group = zarr.create_group(folder / "image.zarr", zarr_format=2)
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}]}]
    zarr.create_group(folder / "other.zarr", zarr_format=2)
    shutil.copyfile(folder / "b.tif", folder / "other.zarr" / "inside.tif")
    shutil.copyfile(folder / "b.tif", folder / "image.zarr" / "inside.tif")
    cohort = find_slides(folder)
    assert names(cohort) == ["a.svs", "b.tif", "image.zarr", "sub/c.tif"]
    assert "multiscales" in reasons(cohort)["other.zarr"]
    assert names(find_slides(folder / "image.zarr")) == ["image.zarr"]


def test_what_tile_engine_wrote_is_not_walked_into(folder: Path) -> None:
    (folder / "slides-tiles").mkdir()
    (folder / "slides-tiles" / "run.json").write_text("{}")
    shutil.copyfile(folder / "b.tif", folder / "slides-tiles" / "map.tif")
    cohort = find_slides(folder)
    assert len(cohort.entries) == 3 and "tile-engine" in reasons(cohort)["slides-tiles"]
    with pytest.raises(NoInputError, match="written by tile-engine"):
        find_slides(folder / "slides-tiles")


def test_a_slide_of_many_files_counts_once(folder: Path, data: Path) -> None:
    (folder / "m.mrxs").write_bytes(b"\xff\xd8\xff")
    (folder / "m").mkdir()
    (folder / "m" / "Slidedat.ini").write_text("[GENERAL]")
    shutil.copyfile(folder / "b.tif", folder / "m" / "Data0000.tif")
    (folder / "v.vms").write_text("[Virtual Microscope Specimen]\nImageFile=v.jpg\nMapFile=v_map.jpg\n")
    (folder / "v.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "v_map.jpg").write_bytes(b"\xff\xd8\xff")
    for name in ("boxes_0.dcm", "boxes_1.dcm"):
        shutil.copyfile(data / "wsi" / "openslide-python" / name, folder / name)
    cohort = find_slides(folder)
    assert names(cohort) == ["a.svs", "b.tif", "boxes_0.dcm", "m.mrxs", "sub/c.tif", "v.vms"]
    assert {"m", "v.jpg", "v_map.jpg", "boxes_1.dcm"} == set(reasons(cohort))


def test_a_glob_a_file_and_a_list(folder: Path) -> None:
    assert names(find_slides(f"{folder}/**/*.tif")) == ["b.tif", "sub/c.tif"]
    assert names(find_slides(str(folder / "a.svs"))) == ["a.svs"]
    assert names(find_slides([folder / "sub" / "c.tif", folder / "a.svs"])) == ["sub/c.tif", "a.svs"]


def test_a_csv_carries_spacing_site_subject_and_more(folder: Path) -> None:
    text = "Path;mpp;site;subject;Stain\na.svs;0,25;A;g1;H&E\nsub/c.tif;;B;g2;\n"
    (folder / "list.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, second = find_slides(folder / "list.csv").entries
    assert (first.name, first.mpp, first.site, first.subject, first.extra) == (
        "a.svs",
        0.25,
        "A",
        "g1",
        {"stain": "H&E"},
    )
    assert (second.name, second.mpp, second.extra) == ("sub/c.tif", None, {"stain": ""})


def test_all_problems_of_a_csv_are_said_at_once(folder: Path) -> None:
    (folder / "list.csv").write_text("path,mpp\na.svs,0.5\ngone.svs,0.5\n./a.svs,half\n,1\n")
    with pytest.raises(SettingsError) as failure:
        find_slides(folder / "list.csv")
    for said in ("line 3", "gone.svs", "line 4", "same file as in line 2", "'half'", "line 5", "4 problems"):
        assert said in failure.value.message


def write(folder: Path, text: str) -> Path:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return folder / "list.csv"


def test_a_row_without_a_file_is_an_entry_and_said(folder: Path) -> None:
    """So that it is rejected by name, as a broken file is, and the others go on."""
    cohort = find_slides(write(folder, "Slide,Subject ID,group\na.svs,s1,x\nb.tif,s2,y\ngone.svs,s3,y\n"))
    assert names(cohort) == ["a.svs", "b.tif", "gone.svs"] and cohort.entries[1].extra == {"group": "y"}
    assert [entry.subject for entry in cohort.entries] == ["s1", "s2", "s3"]
    assert cohort.warnings == ("list.csv: 1 of 3 rows name no file that exists: 'gone.svs'",)
    assert cohort.notes[0] == "list.csv: path <- Slide, subject <- Subject ID; kept as they are: group"


def test_a_list_whose_rows_mostly_fit_no_file_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)2 problems.*'x\.svs' does not exist.*'y\.svs'"):
        find_slides(write(folder, "path\na.svs\nx.svs\ny.svs\n"))


def test_files_that_no_row_names_are_counted(folder: Path) -> None:
    for name in (".hidden.svs", "notes.txt", "mask.tif"):
        shutil.copyfile(folder / "b.tif", folder / name)
    (note,) = [n for n in find_slides(write(folder, "path,mask\na.svs,mask.tif\n")).notes if "in no row" in n]
    assert note == "list.csv: in no row, and no part of the run: 1 file beside its slides: 'b.tif'"


def test_spellings_of_other_systems_match_and_are_said(folder: Path) -> None:
    cohort = find_slides(write(folder, "path;mpp\nsub\\c.tif;0,25 µm\nb;n/a\n"))
    assert [(e.name, e.mpp) for e in cohort.entries] == [("sub/c.tif", 0.25), ("b.tif", None)]
    (note,) = [n for n in cohort.notes if "another spelling" in n]
    assert "2 files" in note and "b -> b.tif" in note


def test_a_cell_without_an_end_is_a_problem_of_the_list(folder: Path) -> None:
    with pytest.raises(SettingsError, match="more than 131,072 characters") as failure:
        find_slides(write(folder, "path,note\na.svs," + "x" * 140_000))
    assert failure.value.code == "E_MANIFEST"


def test_two_lists_of_the_same_files_are_merged_column_by_column(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,label,subject,mpp\na.svs,AD,P1,\nb.tif,CN,P2,0.5\n")
    (folder / "ages.csv").write_text("path,age,subject,label,mpp\nb.tif,61,P3,cn,0.25\na.svs,70,p1,,0.25\n")
    cohort = find_slides([folder / "labels.csv", folder / "ages.csv"])
    assert [(e.name, e.subject, e.mpp, e.extra) for e in cohort.entries] == [
        ("a.svs", "P1", 0.25, {"label": "AD", "age": "70"}), ("b.tif", "P2", 0.5, {"label": "CN", "age": "61"}),
    ]  # fmt: skip
    (said,) = [text for text in cohort.warnings if "two lists" in text]
    assert "of b.tif (mpp 0.5 and 0.25, subject 'P2' and 'P3') (1): the first is believed" in said


def test_a_list_and_the_folder_of_its_files_are_the_list(folder: Path) -> None:
    cohort = find_slides([folder, write(folder, "path,label\na.svs,AD\n")])
    assert [e.extra for e in cohort.entries if e.name == "a.svs"] == [{"label": "AD"}] and len(cohort.entries) == 3
    assert not cohort.warnings


def test_files_of_one_name_outside_the_lists_folder_are_named_apart(folder: Path) -> None:
    for name in ("s1", "s2"):
        (folder / "data" / name / "mri").mkdir(parents=True)
        shutil.copyfile(folder / "b.tif", folder / "data" / name / "mri" / "T1.tif")
    (folder / "lists").mkdir()
    text = "path,group\n../data/s1/mri/T1.tif,AD\n../data/s2/mri/T1.tif,CN\n../b.tif,CN\n"
    cohort = find_slides(write(folder / "lists", text))
    assert names(cohort) == ["s1/mri/T1.tif", "s2/mri/T1.tif", "b.tif"]
    text = "path,group\nT1.tif,AD\n../../s2/mri/T1.tif,CN\n../../../b.tif,CN\n"
    cohort = find_slides(write(folder / "data" / "s1" / "mri", text))
    assert names(cohort) == ["s1/mri/T1.tif", "s2/mri/T1.tif", "b.tif"]


def test_two_data_sets_of_the_same_folders_are_named_apart(folder: Path) -> None:
    for name in ("a/s1", "a/s2", "b/s1", "b/s2"):
        (folder / name).mkdir(parents=True)
        shutil.copyfile(folder / "b.tif", folder / name / "T1.tif")
    cohort = find_slides(write(folder / "a", "path\ns1/T1.tif\ns2/T1.tif\n../b/s1/T1.tif\n../b/s2/T1.tif\n"))
    assert names(cohort) == ["a/s1/T1.tif", "a/s2/T1.tif", "b/s1/T1.tif", "b/s2/T1.tif"]


def test_naming_files_apart_does_not_compare_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(one: SlideEntry, other: object) -> bool:
        raise AssertionError("entries are compared")

    entries = [SlideEntry("", Path(f"/data/s{i}/T1.tif"), "T1.tif") for i in range(3)]
    monkeypatch.setattr(SlideEntry, "__eq__", compared)
    assert [e.name for e in _named_apart(entries, Path("/lists"))] == ["s0/T1.tif", "s1/T1.tif", "s2/T1.tif"]


def test_a_csv_without_its_column_says_which_there_are(folder: Path) -> None:
    (folder / "list.csv").write_text("what,mpp\na.svs,0.5\n")
    with pytest.raises(SettingsError, match=r"'path' is missing.*'what', 'mpp'"):
        find_slides(folder / "list.csv")


def test_nothing_found_lists_what_was_seen(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("words")
    with pytest.raises(NoInputError, match=r"a\.txt.*text"):
        find_slides(tmp_path / "texts")
    with pytest.raises(NoInputError, match="nothing"):
        find_slides(f"{folder}/*.ndpi")
    with pytest.raises(NoInputError, match=r"(?s)does not exist\. Did you mean '.*/a\.svs'\?.*a\.svs"):
        find_slides(folder / "aa.svs")


def test_a_volume_among_slides_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="give it to --volumes"):
        raise not_a_slide(tmp_path / "head.nii.gz", b"\x1f\x8b")


def test_a_spacing_of_zero_is_a_missing_one_and_what_is_read_otherwise_is_said(folder: Path) -> None:
    (folder / "list.csv").write_text("path;mpp\na.svs;0\nb.tif;0,499 um\n")
    cohort = find_slides(folder / "list.csv")
    assert [entry.mpp for entry in cohort.entries] == [None, 0.499]
    said = " ".join(cohort.notes)
    assert "mpp: 1 cell of 0 taken for missing" in said and "'0,499 um -> 0.499'" in said


def test_what_a_missing_path_may_mean_is_asked_and_the_likest_names_come_first(tmp_path: Path) -> None:
    for name in ("apples", "slides", "zebras", "cases of may"):
        (tmp_path / name).mkdir()
    with pytest.raises(NoInputError, match=r"(?s)Did you mean '.*/slides'\?.*- 'slides' is beside it\n.*'apples'"):
        find_slides(tmp_path / "slidse")
    (tmp_path / "empty.svs").touch()
    with pytest.raises(NoInputError, match=r"does not exist\. Give"):
        find_slides(tmp_path / "typo.svs")
    with pytest.raises(NoInputError, match=r"(?s)does not exist\. Give .*- 'slides' is in .*\n"):
        find_slides(tmp_path / "q" / "deep" / "er")
    with pytest.raises(NoInputError, match=r"'.*/cases of may' does: put a path with spaces in quotes"):
        find_slides([str(tmp_path / "cases"), "of", "may"])


def test_ids_are_stable_whatever_else_is_there(folder: Path) -> None:
    before = {e.name: e.id for e in find_slides(folder).entries}
    tifffile.imwrite(folder / "0.tif", np.zeros((8, 8), np.uint8))
    shutil.copytree(folder / "sub", folder / "sub2")
    after = {e.name: e.id for e in find_slides(folder).entries}
    assert before.items() <= after.items()
    assert after["sub/c.tif"] != after["sub2/c.tif"]


@given(st.lists(st.text(min_size=1, max_size=60).filter(lambda s: "\0" not in s), unique=True, min_size=2, max_size=8))
def test_ids_are_plain_short_and_different_even_where_case_does_not_count(given_names: list[str]) -> None:
    ids = [slide_id(name) for name in given_names]
    assert len({one.lower() for one in ids}) == len(given_names)
    for one in ids:
        assert (
            len(one) <= 49
            and one.isascii()
            and not set(one) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        )
        assert one[0] not in "-."


def test_names_that_no_id_could_hold(folder: Path) -> None:
    for name in ("mit Leerzeichen.svs", "切片.svs", "new\nline.svs", "-x.svs", "A.svs", "con.svs", "x" * 240 + ".svs"):
        shutil.copyfile(folder / "a.svs", folder / name)
    ids = [entry.id for entry in find_slides(folder).entries]
    assert len(ids) == 10 == len({one.lower() for one in ids})


def test_a_changed_slide_has_another_fingerprint(folder: Path) -> None:
    before = fingerprint(folder / "a.svs")
    assert before == fingerprint(folder / "a.svs")
    with (folder / "a.svs").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    assert fingerprint(folder / "a.svs") != before
    with pytest.raises(SlideError) as failure:
        fingerprint(folder / "gone.svs")
    assert failure.value.code == "E_MISSING"

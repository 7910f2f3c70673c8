"""Which files are volumes, whose they are, and what they are called."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.errors import NoInputError, SettingsError, SlideError
from tile_engine.stores.slides.cohort import Cohort, find_slides
from tile_engine.stores.slides.file_marks import fingerprint
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume

CUBE = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


def save(path: Path, array: Any = CUBE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pair = path.name.endswith(".hdr")
    nibabel.save((nibabel.Nifti1Pair if pair else nibabel.Nifti1Image)(array, np.eye(4)), path)
    return path


def names(cohort: Cohort) -> list[str]:
    return [entry.name for entry in cohort.entries]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "volumes"
    for name in ("b.nii.gz", "a.nii", "sub/c.hdr"):
        save(root / name)
    return root


def test_a_folder_is_searched_as_one_of_slides_is(folder: Path, tmp_path: Path) -> None:
    (folder / "error.nii").write_text("<html>404</html>")
    (folder / "notes.txt").write_text("words")
    (folder / "b.json").write_text("{}")
    (folder / ".a.nii").write_bytes(b"x")
    (folder / "plain").write_bytes((folder / "a.nii").read_bytes())
    (folder / "again.nii").symlink_to(folder / "a.nii")
    (folder / "out.nii").symlink_to(save(tmp_path / "out.nii"))
    (folder / "circle").symlink_to(folder)
    os.mkfifo(folder / "pipe.nii")
    (folder / "old").mkdir()
    (folder / "old" / "run.json").write_text("{}")
    save(folder / "old" / "x.nii")
    cohort = find_volumes(folder)
    assert names(cohort) == ["a.nii", "b.nii.gz", "error.nii", "plain", "sub/c.hdr"]
    assert dict(cohort.ignored) == {
        ".a.nii": "is hidden",
        "again.nii": "is a link to a.nii, which is listed itself",
        "b.json": "is no volume but text",
        "circle": "is a link to a folder that is searched already",
        "notes.txt": "is no volume but text",
        "old": "was written by tile-engine",
        "out.nii": "is a link that leads out of the folder",
        "pipe.nii": "is neither a file nor a folder",
        "sub/c.img": "is part of c.hdr",
    }
    assert all(entry.subject == entry.id for entry in cohort.entries)  # nobody says whose they are
    assert cohort.entries[1].id.startswith("b-")


def test_a_pair_is_one_whichever_file_is_named(folder: Path) -> None:
    for spec in (folder / "sub" / "c.img", folder / "sub" / "c.hdr", str(folder / "sub" / "*"), [folder / "sub"]):
        (entry,) = find_volumes(spec).entries
        assert entry.path.name == "c.hdr"
    before = fingerprint(entry.path)
    voxels = entry.path.with_suffix(".img")
    voxels.write_bytes(voxels.read_bytes()[:-1] + b"\1")
    assert fingerprint(entry.path) != before


def test_globs_files_and_lists(folder: Path) -> None:
    assert names(find_volumes(str(folder / "*.nii*"))) == ["a.nii", "b.nii.gz"]
    assert names(find_volumes(folder / "a.nii")) == ["a.nii"]
    assert names(find_volumes([folder / "a.nii", folder / "sub"])) == ["a.nii", "sub/c.hdr"]
    for spec in (folder / "gone", folder / "*.mgz"):
        with pytest.raises(NoInputError, match="volumes"):
            find_volumes(spec)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_says_whose_volumes_are(folder: Path, delimiter: str) -> None:
    rows = [("Path", "Subject", "Site", "label", "age", "group"), ("a.nii", "s1", "north", "AD", "71", "x"),
            ("b.nii.gz", "s1", "", "CN", "", "y"), ("sub/c.hdr", "", "south", "CN", "60.5", "")]  # fmt: skip
    table = folder / ("list.tsv" if delimiter == "\t" else "list.csv")
    table.write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    first, second, third = find_volumes(table).entries
    assert (first.subject, first.site) == ("s1", "north")
    assert first.extra == {"label": "AD", "age": "71", "group": "x"}
    assert (second.subject, second.extra["age"]) == ("s1", "")
    assert third.subject == third.id and third.site == "south"


def test_all_problems_of_a_table_are_said_at_once(folder: Path) -> None:
    table = folder / "list.csv"
    table.write_text("path,subject\na.nii,1\na.nii,2\ngone.nii,3\n,4\nb.nii.gz,5,6\n")
    with pytest.raises(SettingsError) as failure:
        find_volumes(table)
    assert failure.value.code == "E_MANIFEST"
    for word in ("5 problems", "4 problems", "line 3", "line 4", "line 5", "line 6"):
        assert (word in failure.value.message) == (word != "5 problems")
    table.write_text("what,subject\na.nii,1\n")
    with pytest.raises(SettingsError, match="column 'path' is missing"):
        find_volumes(table)


def test_rows_may_name_parts(folder: Path) -> None:
    save(folder / "d.nii", np.stack([CUBE, CUBE + 1], -1))
    (folder / "list.csv").write_text("path,part\nd.nii,t=1\nd.nii,t=0\n")
    one, zero = find_volumes(folder / "list.csv").entries
    assert one.id != zero.id and (one.part, zero.part) == ("t=1", "t=0")
    with open_volume(one.path, one.part) as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0].T, CUBE + 1)


def test_a_point_in_time_is_for_those_that_have_several(folder: Path) -> None:
    save(folder / "d.nii.gz", np.stack([CUBE, CUBE + 1], -1))
    plain, timed = find_volumes(folder), find_volumes(folder, t=1)
    assert [e.part for e in timed.entries] == ["", "", "t=1", ""] and names(timed)[2] == "d.nii.gz/t=1"
    assert [e.id for e in plain.entries if e.name != "d.nii.gz"] == [e.id for e in timed.entries if not e.part]
    assert find_volumes(folder / "d.nii.gz", t=0).entries[0].part == "t=0"


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    root = tmp_path / "study"
    for name in (
        "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz", "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii", "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii",
        "derivatives/fmriprep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz", "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
    ):  # fmt: skip
        save(root / name)
    (root / "sub-01/anat/sub-01_T1w.json").write_text("{}")
    (root / "dataset_description.json").write_text("{}")
    rows = [
        "participant_id age site diagnosis group",
        "sub-01 33 north AD patient",
        "sub-02 n/a  CN control",
        "sub-03 5   ",
    ]
    (root / "participants.tsv").write_text("\n".join(rows).replace(" ", "\t"))
    return root


def test_a_bids_tree_is_understood(bids: Path) -> None:
    for spec in (bids, bids / "participants.tsv"):
        cohort = find_volumes(spec)
        assert [(e.name, e.subject, e.site) for e in cohort.entries] == [
            ("sub-01/anat/sub-01_T1w.nii.gz", "sub-01", "north"),
            ("sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii", "sub-02", ""),
            ("sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii", "sub-02", ""),
        ]
        assert cohort.entries[0].extra == {"age": "33", "diagnosis": "AD", "group": "patient"}
        assert cohort.entries[1].extra == {"age": "", "diagnosis": "CN", "group": "control", "session": "a"}
        said = dict(cohort.ignored)
        assert "derived" in said["derivatives"] and "made from" in said["sourcedata"]
        assert "no T1w" in said["sub-01/anat/sub-01_T2w.nii.gz"] and "without a T1w" in said["sub-03"]
    assert names(find_volumes(bids, suffix="bold")) == ["sub-01/func/sub-01_task-rest_bold.nii.gz"]


def test_subjects_are_known_without_a_table_and_without_a_tree(bids: Path, tmp_path: Path) -> None:
    (bids / "participants.tsv").unlink()
    (bids / "dataset_description.json").unlink()
    assert [e.subject for e in find_volumes(bids).entries] == ["sub-01", "sub-02", "sub-02"]
    save(tmp_path / "flat" / "sub-9_T1w.nii")
    assert find_volumes(tmp_path / "flat").entries[0].subject == "sub-9"


def test_a_table_of_participants_with_mistakes(bids: Path) -> None:
    (bids / "participants.tsv").write_text("participant_id\tage\nsub-01\t3\n01\t4\n\t5\n")
    with pytest.raises(SettingsError) as failure:
        find_volumes(bids)
    assert (
        failure.value.code == "E_MANIFEST" and "line 3" in failure.value.message and "line 4" in failure.value.message
    )


def test_an_npz_file_is_a_cohort(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 9, (11, 5, 6, 7), np.uint8)
    arrays = {f"{s}_images": stack for s in ("train", "test")} | {"train_labels": np.arange(11)[:, None] % 2}
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "a.npz", **arrays)
    (tmp_path / "list.csv").write_text("path,site,label\nin/a.npz,north,9\n")
    for spec in (tmp_path / "in", tmp_path / "in" / "a.npz", tmp_path / "list.csv"):
        cohort = find_volumes(spec)
        assert len(cohort.entries) == 22 and len({e.id for e in cohort.entries}) == 22
        by_part = {e.part: e.extra for e in cohort.entries}
        assert by_part["test_images/0"].get("split") == "test"
        assert by_part["train_images/3"] == {"split": "train", "label": "9" if spec.suffix == ".csv" else "1"}
    assert [e.part for e in find_volumes(tmp_path / "in").entries][9:12] == [f"test_images/{i}" for i in (9, 10)] + [
        "train_images/0"
    ]


def test_an_npz_file_without_volumes_is_rejected_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    (entry,) = find_volumes(tmp_path / "a.npz").entries
    with pytest.raises(SlideError) as failure:
        open_volume(entry.path, entry.part)
    assert failure.value.code == "E_NOT_A_VOLUME"


def test_a_changed_slice_changes_the_fingerprint_of_a_series(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).write_bytes(b"x")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "b.dcm").write_bytes(b"xy")
    assert fingerprint(tmp_path) != before


def test_slides_have_no_parts(tmp_path: Path) -> None:
    """A column of a slides' CSV that means something for volumes alone is carried along."""
    (tmp_path / "a.svs").write_bytes(b"II*\0")
    (tmp_path / "list.csv").write_text("path,part,subject,group\na.svs,lung,s1,g1\n")
    (entry,) = find_slides(tmp_path / "list.csv").entries
    assert (entry.part, entry.subject, entry.extra) == ("", "s1", {"part": "lung", "group": "g1"})


def test_a_point_in_time_is_for_lists_of_volumes_too(tmp_path: Path) -> None:
    """An NRRD with an axis that lies nowhere in space."""
    import nrrd

    cells, steps = np.arange(3 * 4 * 5 * 6, dtype=np.int16).reshape(3, 4, 5, 6), np.full((4, 3), np.nan)
    steps[1:] = np.diag([1.0, 1, 2])
    header = {
        "space": "right-anterior-superior",
        "space directions": steps,
        "space origin": np.zeros(3),
        "kinds": ["list", "domain", "domain", "domain"],
    }
    nrrd.write(str(tmp_path / "a.nrrd"), cells, header, index_order="F")
    (entry,) = find_volumes(tmp_path, t=1).entries
    with open_volume(entry.path, entry.part) as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0], cells[1].T)


def test_a_series_in_several_folders_is_one_volume_and_copies_stay_apart(
    tmp_path: Path, series: Callable[..., Path]
) -> None:
    slices = np.random.default_rng(0).integers(0, 900, (8, 6, 5)).astype(np.int16)
    places = [(0, 0, 2.5 * k) for k in range(8)]
    (tmp_path / "one").mkdir()
    whole = series(slices, places, folder="one/all", uid="1.2.3.1")
    (tmp_path / "exam").mkdir()
    for n, part in enumerate((slice(0, 5), slice(5, 8))):
        series(slices[part], places[part], folder=f"exam/disc{n}", uid="1.2.3.9")
    cohort = find_volumes(tmp_path / "exam")
    assert [(e.path, e.name) for e in cohort.entries] == [(tmp_path / "exam", f"exam/{cohort.entries[0].part}")]
    assert "lies in 2 folders (disc0, disc1): it is read as one volume" in cohort.warnings[0]
    with open_volume(tmp_path / "exam", part=cohort.entries[0].part) as joined, open_volume(whole) as expected:
        assert joined.frames[0] == expected.frames[0]
        np.testing.assert_array_equal(joined.read(joined.frames[0].box), expected.read(expected.frames[0].box))
    before = fingerprint(tmp_path / "exam")
    os.utime(next((tmp_path / "exam" / "disc1").iterdir()), (1, 1))
    assert fingerprint(tmp_path / "exam") != before

    shutil.copytree(tmp_path / "one" / "all", tmp_path / "one" / "backup")
    copies = find_volumes(tmp_path / "one")
    assert {e.path.name for e in copies.entries} == {"all", "backup"} and "each is read by itself" in copies.warnings[0]


def test_names_of_files_are_no_columns_of_a_list(folder: Path) -> None:
    plain = find_volumes(folder)
    assert all(entry.subject for entry in plain.entries) and not plain.listed
    (folder / "list.csv").write_text("path,subject\na.nii,7\nb.nii.gz,8\n")
    assert find_volumes(folder / "list.csv").listed

"""Trees of archives: FreeSurfer's are told apart by their folders, and those of BIDS give the images that are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import NoInputError, SettingsError
from tile_engine.stores.volumes.cohort import find_volumes


def written(path: Path) -> Path:
    """A file that has the first bytes of NIfTI or MGH; finding reads no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_mgh = path.suffix == ".mgz"
    head = b"\0\0\0\1" + b"\0\0\0\x05" * 3 + b"\0\0\0\1" + b"\0\0\0\0" * 2 + b"\0\1"
    path.write_bytes(head.ljust(284, b"\0") if is_mgh else (348).to_bytes(4, "little").ljust(344, b"\0") + b"n+1\0" * 3)
    return path


def test_cases_of_a_freesurfer_tree_are_named_by_their_folders(tmp_path: Path) -> None:
    for n in (1, 2):
        written(tmp_path / "subjects" / f"case {n}" / "mri" / "T1.mgz")
    written(tmp_path / "subjects" / "case 1" / "mri" / "orig" / "001.mgz")
    entries = find_volumes(tmp_path / "subjects").entries
    assert [(e.subject, e.name) for e in entries] == [
        ("case 1", "case 1/mri/T1.mgz"), ("case 1", "case 1/mri/orig/001.mgz"), ("case 2", "case 2/mri/T1.mgz")
    ]  # fmt: skip
    assert [e.id.rsplit("-", 1)[0] for e in entries] == ["case-1-T1", "case-1-001", "case-2-T1"]
    (alone,) = find_volumes(tmp_path / "subjects" / "case 1" / "mri" / "T1.mgz").entries
    assert (alone.subject, alone.name) == ("case 1", "case 1/T1.mgz") and alone.id.startswith("case-1-T1-")
    (other,) = find_volumes(written(tmp_path / "plain" / "T1.mgz")).entries
    assert other.id.startswith("T1-") and other.name == "T1.mgz" and other.subject == other.id


def test_a_tree_without_the_suffix_says_which_there_are(tmp_path: Path) -> None:
    for n in (1, 2):
        written(tmp_path / f"sub-0{n}" / "anat" / f"sub-0{n}_FLAIR.nii.gz")
    written(tmp_path / "sub-01" / "anat" / "sub-01_PDw.nii.gz")
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(NoInputError, match=r"FLAIR \(2\), PDw \(1\).*--suffix FLAIR"):
        find_volumes(tmp_path)
    assert [e.subject for e in find_volumes(tmp_path, suffix="FLAIR").entries] == ["sub-01", "sub-02"]


def study(root: Path, table: str) -> Path:
    """A BIDS tree of two subjects with two sessions each, and its table of participants."""
    for n in (1, 2):
        for session in ("01", "02"):
            name = f"sub-0{n}_ses-{session}_T1w.nii.gz"
            written(root / f"sub-0{n}" / f"ses-{session}" / "anat" / name)
    (root / "participants.tsv").write_text(table)
    return root


def test_rows_of_sessions_are_joined_to_the_images_of_the_session(tmp_path: Path) -> None:
    rows = [f"sub-0{n}\tses-0{s}\t{20 * n + s}" for n in (1, 2) for s in (1, 2, 3)]
    cohort = find_volumes(study(tmp_path, "participant_id\tsession_id\tage\n" + "\n".join(rows)))
    assert [(e.subject, e.extra["session"], e.extra["age"]) for e in cohort.entries] == [
        ("sub-01", "01", "21"), ("sub-01", "02", "22"), ("sub-02", "01", "41"), ("sub-02", "02", "42")
    ]  # fmt: skip
    assert {name for name, _ in cohort.ignored if "_ses-" in name} == {"sub-01_ses-03", "sub-02_ses-03"}


def test_a_subject_that_appears_twice_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'sub-01' appears twice"):
        find_volumes(study(tmp_path, "participant_id\tage\nsub-01\t20\nsub-01\t21\nsub-02\t30\n"))
    (tmp_path / "participants.tsv").write_text("participant_id\tsession\tage\n01\tses-01\t20\nsub-01\t01\t21\n")
    with pytest.raises(SettingsError, match="appears twice in session '01'"):
        find_volumes(tmp_path)


def test_a_participants_table_below_a_title_as_wide_is_joined_under_any_name(tmp_path: Path) -> None:
    root = study(tmp_path, "")
    table = root / "participants.tsv"
    table.write_text("Study\tADNI\t2024\nparticipant_id\tage\tsex\n01\t61\tF\n02\t70\tM\n")
    table.rename(root / "phenotype.tsv")
    cohort = find_volumes(root / "phenotype.tsv")
    assert [(e.subject, e.extra["age"]) for e in cohort.entries] == [("sub-01", "61")] * 2 + [("sub-02", "70")] * 2
    assert any("1 row above the headings" in note for note in cohort.notes)

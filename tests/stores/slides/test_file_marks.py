"""A slide of several files has another fingerprint when any of them changes, and may be the same where only times differ."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_slides import NATIVE, tiles_of, write_slide

from tile_engine.stores.slides.cohort import find_slides
from tile_engine.stores.slides.file_marks import fingerprint, may_be_same

IMPLICIT = "1.2.840.10008.1.2"


def mrxs(folder: Path) -> tuple[Path, Path]:
    (folder / "m").mkdir()
    (folder / "m" / "Data0000.dat").write_bytes(bytes(50))
    (folder / "m.mrxs").write_bytes(b"\xff\xd8\xff")
    return folder / "m.mrxs", folder / "m" / "Data0000.dat"


def vsi(folder: Path) -> tuple[Path, Path]:
    (folder / "_v_" / "stack1").mkdir(parents=True)
    (folder / "_v_" / "stack1" / "frame_t.ets").write_bytes(b"SIS\0" + bytes(50))
    (folder / "v.tif").write_bytes(b"II*\0")  # renamed: its folder says what it is
    return folder / "v.tif", folder / "_v_" / "stack1" / "frame_t.ets"


def vmu(folder: Path) -> tuple[Path, Path]:
    (folder / "v.vmu").write_text("[Uncompressed Virtual Microscope Specimen]\nImageFile=v.ngr\n")
    (folder / "v.ngr").write_bytes(bytes(50))
    return folder / "v.vmu", folder / "v.ngr"


def dicom(folder: Path) -> tuple[Path, Path]:
    for name in ("a.dcm", "b.dcm"):
        write_slide(folder / name, tiles_of(np.zeros((64, 64, 3), np.uint8)), (64, 64))
    return folder / "b.dcm", folder / "a.dcm"  # whichever file of the series is named


@pytest.mark.parametrize("make", [mrxs, vsi, vmu, dicom])
def test_a_changed_sibling_changes_the_fingerprint(tmp_path: Path, make: object) -> None:
    assert callable(make)
    slide, sibling = make(tmp_path)
    before = fingerprint(slide)
    assert before == fingerprint(slide)
    os.utime(sibling, ns=(1, 1))  # older than before
    later = fingerprint(slide)
    assert later != before and may_be_same(later, before)
    with sibling.open("ab") as file:
        file.write(b"x")
    assert fingerprint(slide) not in (before, later) and not may_be_same(fingerprint(slide), before)
    sibling.unlink()
    assert not may_be_same(fingerprint(slide), before)


def test_a_neighbour_that_is_no_part_of_a_slide_does_not_count(tmp_path: Path) -> None:
    slide, sibling = dicom(tmp_path)
    before = fingerprint(slide)
    write_slide(tmp_path / "c.dcm", tiles_of(np.zeros((64, 64, 3), np.uint8)), (64, 64), SeriesInstanceUID="1.9")
    shutil.copyfile(sibling, tmp_path / "a.bak")
    assert fingerprint(slide) == before


@pytest.mark.parametrize("syntax", [NATIVE, IMPLICIT])
def test_files_of_a_series_are_one_slide_in_each_way_to_write_attributes(tmp_path: Path, syntax: str) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_slide(tmp_path / name, tiles_of(np.zeros((64, 64, 3), np.uint8)), (64, 64), syntax=syntax)
    assert [entry.name for entry in find_slides(tmp_path).entries] == ["a.dcm"]

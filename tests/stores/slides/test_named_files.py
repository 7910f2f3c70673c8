"""Files that a slide of several files names: none outside its folder is opened, and no pipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dicom_slides import tiles_of, write_slide

from tile_engine.errors import SlideError
from tile_engine.stores.slides.named_files import check_named_files
from tile_engine.stores.slides.reader import open_slide

VMS = "[Virtual Microscope Specimen]\nNoLayers=1\nImageFile={}\nMapFile=map.jpg\n"
MRXS = "[GENERAL]\nSLIDE_ID=1\n[HIERARCHICAL]\nINDEXFILE = Index.dat\n[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = {}\n"


def vms(folder: Path, image: str) -> Path:
    path = folder / "a.vms"
    path.write_text(VMS.format(image))
    return path


def mrxs(folder: Path, data: str) -> Path:
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a" / "Slidedat.ini").write_text(MRXS.format(data))
    (folder / "a.mrxs").write_bytes(b"\xff\xd8\xff" + bytes(100))
    return folder / "a.mrxs"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/etc/passwd", "sub/image.jpg", "..\\secret"])
@pytest.mark.parametrize("slide", [vms, mrxs])
def test_a_name_that_leads_out_is_refused_when_the_slide_is_opened(tmp_path: Path, slide: object, name: str) -> None:
    path = slide(tmp_path, name)  # type: ignore[operator]
    with pytest.raises(SlideError, match="does not lie beside it") as caught:
        open_slide(path)
    assert caught.value.code == "E_PATH"


@pytest.mark.parametrize("slide", [vms, mrxs])
def test_a_named_pipe_or_a_link_to_outside_is_refused_and_never_opened(tmp_path: Path, slide: object) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    path = slide(inside, "b.jpg")  # type: ignore[operator]
    folder = inside / "a" if path.suffix == ".mrxs" else inside
    os.mkfifo(folder / "b.jpg")
    with pytest.raises(SlideError, match=r"b\.jpg beside it is a pipe"):
        open_slide(path)
    (folder / "b.jpg").unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "b.jpg").symlink_to(tmp_path / "secret")
    with pytest.raises(SlideError, match="a link that leads out") as caught:
        open_slide(path)
    assert caught.value.code == "E_PATH"
    (folder / "b.jpg").unlink()
    (folder / "b.jpg").write_bytes(b"pixels")
    (folder / "c.jpg").symlink_to("b.jpg")
    check_named_files(slide(inside, "c.jpg"))  # type: ignore[operator]


def test_the_folder_of_an_mrxs_file_may_be_linked_together_with_it_and_not_alone(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    slide = mrxs(there, "Data.dat")
    (here / "a").symlink_to(there / "a")
    (here / "a.mrxs").symlink_to(slide)
    check_named_files(here / "a.mrxs")
    (here / "a.mrxs").unlink()
    (here / "a.mrxs").write_bytes(slide.read_bytes())
    with pytest.raises(SlideError, match="a link that leads elsewhere"):
        check_named_files(here / "a.mrxs")


def test_a_pipe_among_the_files_of_a_dicom_slide_is_no_part_of_it_and_never_opened(
    tmp_path: Path, picture: Any
) -> None:
    write_slide(tmp_path / "a.dcm", tiles_of(picture(150, 100)), (150, 100))
    os.mkfifo(tmp_path / "b.dcm")
    with open_slide(tmp_path / "a.dcm", 0.5) as slide:
        assert slide.frames[0].shape == (150, 100)

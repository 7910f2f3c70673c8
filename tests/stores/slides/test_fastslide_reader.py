"""fastslide reads what nothing else here reads, by content; where it is not installed, the error names the extra."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from czi_slides import write_czi

from tile_engine.errors import SlideError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.cohort import find_slides
from tile_engine.stores.slides.fastslide_reader import FastSlidePixels
from tile_engine.stores.slides.reader import SLIDE_READERS, open_slide, probe


@pytest.fixture
def fluorescence(tmp_path: Path, picture: Any) -> tuple[Path, np.ndarray[Any, Any]]:
    scan = np.moveaxis(picture(150, 200, 2, "uint16"), -1, 0)
    write_czi(tmp_path / "scan.czi", list(scan))
    return tmp_path / "scan.czi", scan


def test_it_comes_last() -> None:
    assert SLIDE_READERS[-1].name == "fastslide"


@pytest.mark.parametrize("name", ["scan.czi", "scan.svs", "scan"])
def test_a_fluorescence_czi_of_any_name_is_read_with_its_channels(
    fluorescence: tuple[Path, np.ndarray[Any, Any]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, scan = fluorescence
    path = path.rename(path.with_name(name))
    (path.parent / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path.parent / "tmp"))
    with open_slide(path) as slide:
        assert (slide.reader, slide.channels, slide.dtype, slide.frames[0].spacing) == (
            "fastslide",
            2,
            "uint16",
            (0.5, 0.5),
        )
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan)
        box = Box((30, 50), (150, 130))
        np.testing.assert_array_equal(slide.read(box), scan[(slice(None), *box.slices)])
    assert list((path.parent / "tmp").iterdir()) == [], "the link is gone"


def test_a_brightfield_czi_stays_with_openslide_and_both_give_what_was_written(tmp_path: Path, picture: Any) -> None:
    scan = picture(150, 200)
    write_czi(tmp_path / "scan.czi", [scan])
    with open_slide(tmp_path / "scan.czi") as slide:
        assert (slide.reader, slide.background) == ("openslide", 255)
        np.testing.assert_array_equal(np.moveaxis(slide.read(slide.frames[0].box), 0, -1), scan)
    pixels = FastSlidePixels(tmp_path / "scan.czi")
    np.testing.assert_array_equal(np.moveaxis(pixels.read(Box((0, 0), (150, 200)), 0), 0, -1), scan)
    assert pixels.described.background == 255
    pixels.close()


def test_three_dyes_of_eight_bits_are_no_brightfield(tmp_path: Path, picture: Any) -> None:
    scan = np.moveaxis(picture(150, 200), -1, 0)
    write_czi(tmp_path / "scan.czi", list(scan))
    with open_slide(tmp_path / "scan.czi") as slide:
        assert (slide.reader, slide.channels, slide.dtype, slide.background) == ("fastslide", 3, "uint8", 0)
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan)


def test_the_reader_and_the_reason_are_said(fluorescence: tuple[Path, np.ndarray[Any, Any]]) -> None:
    described = probe(fluorescence[0])
    assert described.why.startswith(
        "no other reader reads it; the reader openslide refused it: scan.czi: OpenSlide cannot"
    )


def test_without_it_the_error_names_the_extra(
    fluorescence: tuple[Path, np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastslide", None)
    with pytest.raises(SlideError, match=r"OpenSlide cannot open it.* Or: .*pip install 'tile-engine\[formats\]'"):
        open_slide(fluorescence[0])
    other = fluorescence[0].with_name("philips.tif")
    other.write_bytes(b'<DataObject ObjectType="DPUfsImport">' + bytes(200))
    with pytest.raises(SlideError, match=r"is Philips iSyntax.*tile-engine\[formats\]") as failure:
        open_slide(other)
    assert failure.value.code == "E_NO_READER"


def test_damaged_files_are_refused(tmp_path: Path, fluorescence: tuple[Path, np.ndarray[Any, Any]]) -> None:
    (tmp_path / "a.isyntax").write_bytes(b'<DataObject ObjectType="DPUfsImport">' + bytes(200))
    (tmp_path / "b.czi").write_bytes(fluorescence[0].read_bytes()[:600])
    for name in ("a.isyntax", "b.czi"):
        with pytest.raises(SlideError) as failure:
            open_slide(tmp_path / name)
        assert failure.value.code == "E_UNREADABLE" and name in failure.value.message


def test_the_overview_in_a_vsi_file_is_never_taken_for_its_slide(tmp_path: Path, pyramid: Any, picture: Any) -> None:
    path = pyramid(picture(300, 260), "scan.vsi", levels=1)
    with pytest.raises(SlideError, match="_scan_") as failure:
        open_slide(path)
    assert failure.value.code == "E_MISSING_COMPANION"
    stack = tmp_path / "_scan_" / "stack1"
    stack.mkdir(parents=True)
    (stack / "frame_t.ets").write_bytes(b"SIS\0" + bytes(500))
    with pytest.raises(SlideError, match="fastslide cannot open this Olympus VSI file"):
        open_slide(path)
    cohort = find_slides([tmp_path])
    assert [entry.name for entry in cohort.entries] == ["scan.vsi"]
    path.rename(tmp_path / "scan.tif")  # the folder beside it says what it is
    with pytest.raises(SlideError, match="Olympus VSI"):
        open_slide(tmp_path / "scan.tif")

"""Every real and every bad file of the data folder opens or is refused for a named reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import SLIDE_READERS, open_slide, probe

USABLE = {
    "wsi/CMU-1-Small-Region.svs": "tiff",
    "wsi/openslide-python/small.svs": "tiff",
    "wsi/openslide-python/boxes_0.dcm": "dicom",
    "wsi/openslide-python/boxes_1.dcm": "dicom",
    "wsi/highdicom/sm_image.dcm": "dicom",
    "wsi/highdicom/sm_image_control.dcm": "dicom",
    "wsi/highdicom/sm_image_dots.dcm": "dicom",
    "wsi/highdicom/sm_image_numbers.dcm": "dicom",
    "wsi/qupath-cells/cells-2c.ome.tif": "tiff",
    "wsi/qupath-cells/cells-2t.ome.tif": "tiff",
    "wsi/qupath-cells/cells-2z.ome.tif": "tiff",
    "wsi/qupath-cells/cells.ome.tif": "tiff",
    "wsi/qupath-cells/cells.tif": "tiff",
    "wsi/qupath-cells/cells-gray16.tif": "tiff",
    "wsi/wsic/XYC-half-mpp.tiff": "tiff",
}
"""Files that say all that is needed, and who reads them."""

REFUSED = {
    "wsi/crc-val-he-7k-NORM.tif": "E_BAD_MPP",
    "wsi/libvips-multi-channel-z-series.ome.tif": "E_UNSUPPORTED_PIXELS",
    "wsi/openslide-python/boxes.tiff": "E_BAD_MPP",
    "wsi/qupath-cells/cells-gray32.tif": "E_UNSUPPORTED_PIXELS",
    "wsi/wsic/CMU-1-Small-Region.jpeg.tiff": "E_BAD_MPP",
    "wsi/wsic/CMU-1-Small-Region.jp2.tiff": "E_BAD_MPP",
    "wsi/wsic/CMU-1-Small-Region.webp.tiff": "E_BAD_MPP",
    "wsi/highdicom/ct_image.dcm": "E_NOT_A_SLIDE",
    "wsi/highdicom/sr_document.dcm": "E_NOT_A_SLIDE",
    "bad/wsi/histolab-broken.svs": "E_NOT_A_SLIDE",
    "bad/wsi/unopenable.tiff": "E_UNSUPPORTED_PIXELS",
    "bad/wsi/libvips-subsampled.tif": "E_UNSUPPORTED_PIXELS",
    "bad/wsi/libvips-truncated.jpg": "E_TRUNCATED",
    "bad/wsi/libvips-ojpeg-tile.tif": "E_BAD_MPP",
    "bad/wsi/large_image/zero_gi.tif": "E_MALFORMED",
    "bad/wsi/large_image/grey10kx5k.tif": "E_BAD_MPP",
    "bad/wsi/large_image/small_la.tiff": "E_BAD_MPP",
    "bad/wsi/large_image/yb10kx5k.zstd.tiff": "E_BAD_MPP",
}
"""Files that are refused as they are, and the reason."""

BROKEN_PIXELS = {"bad/wsi/unreadable.svs"}
"""Opens, but none of its tiles can be decoded."""

FAMILIES = (
    ("wsi/highdicom/seg_", "E_NOT_A_SLIDE"),
    ("bad/wsi/large_image/test_orient", "E_BAD_MPP"),
    (".png", "E_NO_MPP"),
    (".jpg", "E_NO_MPP"),
    (".jp2", "E_NO_MPP"),
    (".ome.tiff", "E_NO_MPP"),
)
HEAVY = ("yb10kx5k.png", "yb10kx5ktrans.png")


def outcome(path: Path, mpp: float | None = None) -> str:
    try:
        with open_slide(path, mpp) as slide:
            frame = slide.frames[-1]
            pixels = slide.read(frame.box, len(slide.frames) - 1)
            assert pixels.shape == (slide.channels, *frame.shape) and pixels.dtype == slide.dtype
            return slide.reader
    except SlideError as error:
        assert path.name in error.message or error.code == "E_NGFF"
        return error.code


def expected(name: str) -> str:
    if name in USABLE or name in REFUSED:
        return USABLE.get(name) or REFUSED[name]
    if name in BROKEN_PIXELS:
        return "E_DAMAGED_TILE"
    return next(code for part, code in FAMILIES if part in name)


def test_every_file_is_accounted_for(data: Path) -> None:
    """The table above names each file, or its family, and what becomes of it."""
    files = [p for d in ("wsi", "bad/wsi") for p in sorted((data / d).rglob("*")) if p.is_file()]
    files = [p for p in files if "colon-tiles" not in p.parts and "colon-tiles-5class" not in p.parts]
    assert len(files) > 100
    wrong = []
    for path in files:
        name = path.relative_to(data).as_posix()
        if path.name not in HEAVY and outcome(path) != expected(name):
            wrong.append((name, outcome(path), expected(name)))
    assert wrong == []


@pytest.mark.parametrize("kind", ["jpeg", "jp2", "webp"])
def test_a_spacing_that_cannot_be_true_is_refused_and_a_given_one_helps(data: Path, kind: str) -> None:
    path = data / "wsi" / "wsic" / f"CMU-1-Small-Region.{kind}.tiff"
    with pytest.raises(SlideError, match=r"0\.00499.*--mpp") as failure:
        open_slide(path)
    assert failure.value.code == "E_BAD_MPP"
    with open_slide(path, 0.499) as slide, open_slide(data / "wsi" / "CMU-1-Small-Region.svs") as original:
        assert slide.frames == original.frames
        assert slide.spacing_source == "csv/--mpp"
        box = Box((1000, 800), (1200, 1100))
        difference = slide.read(box).astype(int) - original.read(box)
        assert np.abs(difference).mean() < 15  # lossy copies of the same pixels


def test_probe_describes_what_cannot_be_used(data: Path) -> None:
    seen = probe(data / "wsi" / "wsic" / "CMU-1-Small-Region.jpeg.tiff")
    assert seen.shapes == ((2967, 2220),)
    assert seen.spacing == pytest.approx((0.00499, 0.00499))
    assert [code for code, _ in seen.problems] == ["E_BAD_MPP"]
    assert probe(data / "wsi" / "qupath-cells" / "cells.png").spacing is None


def test_the_unpacked_openslide_cases_are_refused_by_what_they_are(data: Path) -> None:
    """The 407 cases come as descriptions and differences to files that are not here: none is a slide by itself."""
    cases = [p for p in (data / "bad" / "openslide-cases").rglob("*") if p.is_file()]
    assert len([p for p in cases if p.name == "config.yaml"]) == 407
    assert {outcome(path) for path in cases} == {"E_NOT_A_SLIDE", "E_EMPTY"}


def test_content_decides_and_a_wrong_name_is_noted(data: Path, tmp_path: Path) -> None:
    shutil.copyfile(data / "wsi" / "qupath-cells" / "cells.jpg", tmp_path / "slide.svs")
    with open_slide(tmp_path / "slide.svs", 0.5) as slide:
        assert slide.reader == "picture"
        assert "JPEG though the name says .svs" in slide.notes[0]
    shutil.copyfile(data / "wsi" / "CMU-1-Small-Region.svs", tmp_path / "slide.png")
    with open_slide(tmp_path / "slide.png") as slide:
        assert slide.reader == "tiff" and "TIFF though the name says .png" in slide.notes[0]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "E_EMPTY", "0 bytes"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "E_NOT_A_SLIDE", "HTML page"),
        (b"just words\n", "E_NOT_A_SLIDE", "text"),
        (b"\x00\x01\x02\x03" * 50, "E_NOT_A_SLIDE", "unknown binary"),
        (b"II*\0\x08\0\0\0", "E_UNREADABLE", "TIFF"),
        (b"%PDF-1.7\n", "E_NOT_A_SLIDE", "PDF"),
    ],
)
def test_what_is_no_slide_is_named(tmp_path: Path, content: bytes, code: str, said: str) -> None:
    path = tmp_path / "slide.svs"
    path.write_bytes(content)
    with pytest.raises(SlideError, match=said) as failure:
        open_slide(path)
    assert failure.value.code == code


def test_a_missing_file_a_plain_folder_and_a_pipe_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.svs")
    refused = (
        (tmp_path / "gone.svs", "E_MISSING"),
        (tmp_path, "E_NOT_A_SLIDE"),
        (tmp_path / "pipe.svs", "E_NOT_A_SLIDE"),
    )
    for path, code in refused:
        with pytest.raises(SlideError) as failure:
            open_slide(path)
        assert failure.value.code == code


def test_an_mrxs_without_its_folder_is_not_taken_for_its_own_thumbnail(data: Path, tmp_path: Path) -> None:
    shutil.copyfile(data / "wsi" / "qupath-cells" / "cells.jpg", tmp_path / "case.mrxs")
    with pytest.raises(SlideError, match=r"Slidedat\.ini") as failure:
        open_slide(tmp_path / "case.mrxs", 0.5)
    assert failure.value.code == "E_MISSING_COMPANION"


@pytest.mark.parametrize(
    ("said", "spacing"), [(b"0,499", 0.499), (b"0.250", 0.25), (b"     ", "E_NO_MPP"), (b"9e999", "E_BAD_MPP")]
)
def test_aperio_spacing_as_scanners_write_it(data: Path, tmp_path: Path, said: bytes, spacing: float | str) -> None:
    """Decimal commas are read, an empty value is a missing one, an infinite one is absurd."""
    content = (data / "wsi" / "CMU-1-Small-Region.svs").read_bytes()
    assert content.count(b"MPP = 0.4990") >= 1
    (tmp_path / "s.svs").write_bytes(content.replace(b"MPP = 0.4990", b"MPP = " + said + b" "))
    try:
        with open_slide(tmp_path / "s.svs") as slide:
            assert slide.frames[0].spacing == (spacing, spacing)
    except SlideError as error:
        assert error.code == spacing


def test_names_of_all_kinds_open(data: Path, tmp_path: Path) -> None:
    for name in ("mit Leerzeichen.svs", "Zürich-切片.svs", "new\nline.svs", "-leading.svs"):
        shutil.copyfile(data / "wsi" / "openslide-python" / "small.svs", tmp_path / name)
        with open_slide(tmp_path / name) as slide:
            assert slide.frames[0].shape == (16, 16)


def test_a_read_outside_the_frame_is_a_mistake_of_the_caller(data: Path) -> None:
    with (
        open_slide(data / "wsi" / "openslide-python" / "small.svs") as slide,
        pytest.raises(ValueError, match="inside"),
    ):
        slide.read(Box((0, 0), (17, 16)))


def test_nothing_but_pixels_and_spacing_leaves_a_slide(data: Path) -> None:
    """Names, dates and serial numbers of the scanner's description stay inside."""
    path = data / "wsi" / "CMU-1-Small-Region.svs"
    text = repr(probe(path))
    for private in ("ScanScope", "Filename", "Date", "User", "Parmset", "Time"):
        assert private not in text


def test_a_tile_that_nobody_decodes_is_an_error(data: Path) -> None:
    with open_slide(data / "bad" / "wsi" / "unreadable.svs") as slide, pytest.raises(TileError, match="damaged"):
        slide.read(slide.frames[0].box)


def test_readers_are_a_table_with_unique_names() -> None:
    assert len({reader.name for reader in SLIDE_READERS}) == len(SLIDE_READERS)

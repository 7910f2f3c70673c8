"""Which of several images in a TIFF is the slide, whatever their order, and which pages are its levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.errors import SlideError
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]
HALF_UM: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}


@pytest.fixture
def scan(picture: Any) -> Image:
    return np.asarray(picture(320, 448))


def pages(path: Path, *images: Image, **options: Any) -> Path:
    """Plain pages in this order, none of them declared as a reduced image."""
    with tifffile.TiffWriter(path) as tif:
        for image in images:
            tif.write(image, photometric="rgb", tile=(64, 64), compression="zlib", metadata=None, **HALF_UM, **options)
    return path


def shapes(path: Path, part: str = "") -> list[tuple[int, ...]]:
    with open_slide(path, part=part) as slide:
        return [frame.shape for frame in slide.frames]


def test_the_scan_is_read_though_the_overview_comes_first(tmp_path: Path, scan: Image) -> None:
    path = tmp_path / "scan.ome.tif"
    options: dict[str, Any] = {"photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(scan[::8, ::8], metadata={"PhysicalSizeX": 4.0, "PhysicalSizeY": 4.0}, **options)
        own = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        tif.write(scan, tile=(64, 64), subifds=1, metadata=own, **options)
        tif.write(scan[::2, ::2], tile=(64, 64), subfiletype=1, **options)
    with open_slide(path) as slide:
        assert [f.spacing for f in slide.frames] == [(0.5, 0.5), (1.0, 1.0)]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan.transpose(2, 0, 1))


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 2, 1)])
def test_pages_of_a_pyramid_may_come_in_any_order(tmp_path: Path, scan: Image, order: tuple[int, ...]) -> None:
    path = pages(tmp_path / "p.tif", *(scan[:: 2**i, :: 2**i] for i in order))
    assert shapes(path) == [(320, 448), (160, 224), (80, 112)]
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), scan.transpose(2, 0, 1))


def test_a_preview_before_the_scan_is_no_level(tmp_path: Path, scan: Image) -> None:
    path = pages(tmp_path / "p.tif", np.ascontiguousarray(scan[::8, ::8][:, :50]), scan, scan[::2, ::2])
    assert shapes(path) == [(320, 448), (160, 224)]


def test_images_of_comparable_size_are_named_and_can_be_chosen(tmp_path: Path, scan: Image) -> None:
    other = np.ascontiguousarray(scan[:200, :300][::-1])
    path = pages(tmp_path / "two.tif", other, scan)
    with open_slide(path) as slide:
        assert slide.frames[0].shape == (320, 448)
        assert "0 (300 x 200 pixels); choose one with --part" in slide.notes[-1]
    with open_slide(path, part="0") as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), other.transpose(2, 0, 1))
    with pytest.raises(SlideError, match=r"no image '2'. There are: 0 \(300 x 200 pixels\), 1") as failure:
        open_slide(path, part="2")
    assert failure.value.code == "E_NO_PART"


def test_a_part_of_a_picture_is_refused(tmp_path: Path, scan: Image) -> None:
    from PIL import Image as Picture

    Picture.fromarray(scan).save(tmp_path / "a.png")
    with pytest.raises(SlideError) as failure:
        open_slide(tmp_path / "a.png", 0.5, "1")
    assert failure.value.code == "E_NO_PART"

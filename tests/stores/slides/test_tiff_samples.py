"""What the samples of a TIFF mean: alpha of every kind, Aperio's YCbCr, planes under one directory."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]
HALF_UM: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}


def read(path: Path) -> tuple[Image, tuple[str, ...]]:
    with open_slide(path, 0.5) as slide:
        return slide.read(slide.frames[0].box), slide.notes


@pytest.fixture
def layers(picture: Any) -> tuple[Image, Image, Image]:
    """RGB that is black where it is hidden, its alpha with a wholly and a half transparent part, and both over white."""
    colours, alpha = picture(96, 128), np.full((96, 128), 255, np.uint8)
    alpha[:40], alpha[:, :30] = 0, 128
    colours[alpha == 0] = 0
    share = alpha[..., None] / 255
    return colours, alpha, (colours * share + 255 * (1 - share)).round().transpose(2, 0, 1)


@pytest.mark.parametrize("kind", ["UNASSALPHA", "ASSOCALPHA", "UNSPECIFIED"])
def test_every_kind_of_alpha_is_laid_over_white_once(
    tmp_path: Path, layers: tuple[Image, Image, Image], kind: str
) -> None:
    colours, alpha, expected = layers
    stored = (colours * (alpha[..., None] / 255)).round().astype(np.uint8) if kind == "ASSOCALPHA" else colours
    options: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", **HALF_UM}
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([stored, alpha]), extrasamples=[kind], metadata=None, **options)
    pixels, notes = read(tmp_path / "a.tif")
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert ("unspecified" in notes[-1]) == (kind == "UNSPECIFIED")


def test_an_unspecified_sample_that_hides_colours_is_dropped_and_said(tmp_path: Path, picture: Any) -> None:
    colours = picture(96, 128)
    options: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "metadata": None, **HALF_UM}
    other = np.zeros((96, 128), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([colours, other]), extrasamples=["UNSPECIFIED"], **options)
    pixels, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels, colours.transpose(2, 0, 1))
    assert "dropped" in notes[-1]


@pytest.mark.parametrize("compression", [33003, 33005])
def test_aperios_jpeg_2000_needs_no_words_of_aperio(tmp_path: Path, compression: int) -> None:
    """33003 holds YCbCr and 33005 RGB, whatever the photometric interpretation says."""
    import imagecodecs
    from skimage.data import immunohistochemistry

    rgb = immunohistochemistry()[:64, :128]
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    turned = np.stack([luma, (blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128], -1).round().clip(0, 255)
    stored = turned.astype(np.uint8) if compression == 33003 else rgb
    tiles = (
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(stored[:, x : x + 64]), level=0, reversible=True, mct=False, codecformat="j2k"
        )
        for x in (0, 64)
    )
    options: dict[str, Any] = {"shape": rgb.shape, "dtype": "uint8", "tile": (64, 64), "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "j.tif", tiles, compression=compression, metadata=None, **options, **HALF_UM)
    pixels, notes = read(tmp_path / "j.tif")
    assert np.abs(pixels.astype(int) - rgb.transpose(2, 0, 1)).max() <= (2 if compression == 33003 else 0)
    assert any("is converted" in note for note in notes) == (compression == 33003)


def test_rgb_under_the_number_of_aperios_ycbcr_stays_rgb(data: Path) -> None:
    """Bio-Formats writes so."""
    folder = data / "wsi" / "wsic" / "bfconvert"
    pixels, notes = read(next(folder.glob("*JPEG-2000*")))
    np.testing.assert_array_equal(pixels, read(next(folder.glob("*LZW*")))[0])
    assert "holds RGB" in notes[-1]


def test_planes_behind_one_directory_are_channels(tmp_path: Path) -> None:
    """ImageJ above 4 GB, and tifffile with truncate, write the directory of the first plane alone."""
    planes = np.random.default_rng(0).integers(0, 60000, (4, 70, 90), np.uint16)
    tifffile.imwrite(
        tmp_path / "t.tif", planes, truncate=True, photometric="minisblack", metadata={"axes": "CYX"}, **HALF_UM
    )
    tifffile.imwrite(
        tmp_path / "ij.tif", planes, imagej=True, metadata={"axes": "CYX", "unit": "um"}, resolution=(2, 2)
    )
    data = bytearray((tmp_path / "ij.tif").read_bytes())
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack(order + "I", data[4:8])
    (entries,) = struct.unpack(order + "H", data[first : first + 2])
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = bytes(4)  # no second directory
    (tmp_path / "ij.tif").write_bytes(data)
    for name in ("t.tif", "ij.tif"):
        pixels, notes = read(tmp_path / name)
        np.testing.assert_array_equal(pixels, planes)
        assert "one directory for all planes" in notes[-1]

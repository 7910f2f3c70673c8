"""A strict decoder of JPEG tiles, where one is installed: the same pixels, and damage that libjpeg repairs is an error."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from tile_engine.errors import TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A simplejpeg that decodes what stands in the stream alone; returns the streams that it refuses."""
    refused: list[bytes] = []

    def decode_jpeg(data: bytes, colorspace: str, strict: bool) -> Image:
        assert strict
        if any(data.endswith(stream) for stream in refused):
            raise ValueError("Corrupt JPEG data: bad Huffman code")
        pixels = imagecodecs.jpeg8_decode(data, outcolorspace={"RGB": 2, "GRAY": 1}[colorspace])
        return pixels if pixels.ndim == 3 else pixels[..., None]

    monkeypatch.setitem(sys.modules, "simplejpeg", SimpleNamespace(decode_jpeg=decode_jpeg))
    return refused


@pytest.mark.parametrize(
    ("photometric", "options"),
    [
        ("rgb", {}),
        ("ycbcr", {"subsampling": (2, 2)}),
        ("rgb", {"compressionargs": {"level": 60, "outcolorspace": "rgb"}}),
    ],
)
def test_the_strict_decoder_gives_the_same_pixels(
    pyramid: Any, picture: Any, monkeypatch: pytest.MonkeyPatch, stand_in: list[bytes], photometric: str, options: Any
) -> None:
    path = pyramid(picture(300, 260), levels=1, compression="jpeg", photometric=photometric, **options)
    with open_slide(path) as slide:
        strict = slide.read(slide.frames[0].box)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), strict)


def test_tables_of_the_page_and_rgb_without_a_marker_are_put_into_the_stream(data: Path, stand_in: list[bytes]) -> None:
    import openslide

    with open_slide(data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        pixels = slide.read(Box((0, 0), (240, 240)))
    with openslide.OpenSlide(str(data / "wsi" / "CMU-1-Small-Region.svs")) as other:
        expected = np.asarray(other.read_region((0, 0), 0, (240, 240)))[..., :3].transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels, expected)


def test_a_stream_that_it_refuses_is_a_lost_tile(pyramid: Any, picture: Any, stand_in: list[bytes]) -> None:
    """Though OpenSlide, whose libjpeg is no stricter, decodes it."""
    path = pyramid(picture(256, 512), levels=1, compression="jpeg", photometric="rgb", subsampling=(1, 1))
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[1], tif.pages[0].databytecounts[1]
    damaged = bytearray(path.read_bytes())
    draw = np.random.default_rng(1)
    for at in draw.integers(offset + count // 3, offset + count - 4, 6):
        damaged[at] ^= 0x55
    path.write_bytes(damaged)
    stand_in.append(bytes(damaged[offset + count - 100 : offset + count]))
    with open_slide(path) as slide:
        slide.read(Box((0, 0), (256, 256)))
        with pytest.raises(TileError, match="bad Huffman code") as failure:
            slide.read(Box((0, 256), (256, 512)))
    assert failure.value.code == "E_DAMAGED_TILE"

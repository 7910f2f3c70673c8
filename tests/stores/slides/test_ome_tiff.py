"""OME-TIFF as writers leave it: a pyramid in SubIFDs, channels, focus planes, and several images in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]
CODECS = ("zlib", "lzw", "zstd", "jpegxl", "webp", "jpeg2000")


def write_scenes(path: Path, scenes: list[Image]) -> None:
    """Each scene (channel, z, y, x) as an image with a level of half its size."""
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number, scene in enumerate(scenes):
            metadata = {
                "axes": "CZYX",
                "PhysicalSizeX": 0.5 + number,
                "PhysicalSizeY": 0.5 + number,
                "Name": f"scene {number}",
            }
            tif.write(scene, subifds=1, tile=(64, 64), photometric="minisblack", metadata=metadata, compression="zlib")
            tif.write(scene[..., ::2, ::2], subfiletype=1, tile=(64, 64), photometric="minisblack", compression="zlib")


def test_a_pyramid_with_channels_planes_and_scenes(tmp_path: Path, picture: Any) -> None:
    scenes = [
        np.moveaxis(picture(200, 140 + 40 * i, 6, "uint16"), -1, 0).reshape(2, 3, 200, 140 + 40 * i) for i in range(2)
    ]
    write_scenes(tmp_path / "scan.ome.tif", scenes)
    for part, number in (("", 1), ("0", 0), ("scene 0", 0), ("1", 1)):
        with open_slide(tmp_path / "scan.ome.tif", part=part) as slide:
            middle = scenes[number][:, 1]
            assert (slide.channels, slide.dtype, len(slide.frames)) == (2, "uint16", 2)
            assert slide.frames[0].spacing == (0.5 + number, 0.5 + number)
            np.testing.assert_array_equal(slide.read(slide.frames[0].box), middle)
            np.testing.assert_array_equal(slide.read(slide.frames[1].box, 1), middle[:, ::2, ::2])
            assert "3 focus planes; number 1 (from 0) is read" in slide.notes
            assert any("of comparable size" in note for note in slide.notes)


@pytest.mark.parametrize("codec", CODECS)
def test_lossless_tiles_of_every_compression_are_decoded_directly(pyramid: Any, picture: Any, codec: str) -> None:
    scan = picture(300, 260)
    options: dict[str, Any] = {"zlib": {"predictor": True}, "lzw": {"predictor": True}, "zstd": {}}.get(
        codec,
        {"compressionargs": {"lossless": True} if codec in ("jpegxl", "webp") else {"level": 0, "reversible": True}},
    )
    path = pyramid(scan, levels=2, compression=codec, photometric="rgb", **options)
    with open_slide(path) as slide:
        assert slide.reader == "tiff"
        for level, frame in enumerate(slide.frames):
            pixels = np.moveaxis(slide.read(frame.box, level), 0, -1)
            np.testing.assert_array_equal(pixels, scan[:: 2**level, :: 2**level])


def test_patches_of_one_large_tile_decode_it_once(pyramid: Any, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tile_engine.stores.frame import Box
    from tile_engine.stores.slides import tiff_segments

    decoded = []
    decoder = tiff_segments.strict_decoder

    def counting(*words: Any) -> Any:
        whole = decoder(*words)
        return lambda data: decoded.append(1) or whole(data)

    monkeypatch.setattr(tiff_segments, "strict_decoder", counting)
    scan = picture(1200, 1280)
    path = pyramid(scan, levels=1, tile=(1280, 1280), compression="jpeg", photometric="rgb")
    with open_slide(path) as slide:
        patches = [slide.read(Box((y, y), (y + 64, y + 64))) for y in (0, 300, 900)]
        whole = slide.read(slide.frames[0].box)
    assert len(decoded) == 1
    for y, patch in zip((0, 300, 900), patches, strict=True):
        np.testing.assert_array_equal(patch, whole[:, y : y + 64, y : y + 64])

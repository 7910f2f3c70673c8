"""What a compressed picture states of its size is read before it is decoded; pictures larger than their tile are refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tile_engine.errors import TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.stated_size import stated_size

SIZES = ((100, 130), (64, 64), (200, 300), (1000, 37), (8, 8), (300, 400))


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2k", "png", "webp", "jpegxl"])
@pytest.mark.parametrize("size", SIZES)
def test_the_stated_size_is_what_the_decoder_makes(codec: str, size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    encode = getattr(imagecodecs, f"{codec}_encode")
    for options in ({}, {"lossless": True}) if codec in ("webp", "jpegxl") else ({},):
        assert stated_size(encode(pixels, **options)) == size


@pytest.mark.parametrize("kind", ["JPEG2000", "WEBP", "PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_files_of_another_writer_state_it_too(kind: str, mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (130, 100)).save(file, kind)
    assert stated_size(file.getvalue()) == (100, 130)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG", b"RIFF....WEBPVP8X", b"\xff\x4f\xff\x51\0", b"words"])
def test_what_has_no_header_states_nothing(data: bytes) -> None:
    assert stated_size(data) is None


@pytest.mark.parametrize(
    ("compression", "encode"), [("jpeg2000", "jpeg2k"), ("webp", "webp"), ("jpegxl", "jpegxl"), ("png", "png")]
)
def test_a_picture_larger_than_its_tile_is_not_decoded(tmp_path: Path, compression: str, encode: str) -> None:
    path = tmp_path / "a.tif"
    tiles: list[Any] = [np.full((64, 64, 3), 7, np.uint8), np.zeros((512, 512, 3), np.uint8)]
    options: dict[str, Any] = {"lossless": True} if encode == "webp" else {}
    packed = [getattr(imagecodecs, f"{encode}_encode")(tile, **options) for tile in tiles]
    tifffile.imwrite(
        path, iter(packed), shape=(64, 128, 3), dtype=np.uint8, tile=(64, 64), photometric="rgb", compression=compression,
        resolution=(2e4, 2e4), resolutionunit="CENTIMETER", metadata=None,
    )  # fmt: skip
    with open_slide(path) as slide:
        assert (slide.read(Box((0, 0), (64, 64))) == 7).all()
        with pytest.raises(TileError) as caught:
            slide.read(Box((0, 64), (64, 128)))
    assert caught.value.code == "E_BOMB"


def test_a_table_that_states_endless_tiles_reads_no_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((64, 128, 3), np.uint8), tile=(64, 64), photometric="rgb", compression="zlib", bigtiff=True
    )
    for tag, value in (("TileByteCounts", 2**62), ("TileOffsets", 2**64 - 8)):
        with tifffile.TiffFile(path, mode="r+b") as tif:
            values = list(tif.pages[0].tags[tag].value)
            tif.pages[0].tags[tag].overwrite([values[0], value], dtype="Q")
        with open_slide(path, 0.5) as slide, pytest.raises(TileError, match="ends inside"):
            slide.read(Box((0, 64), (64, 128)))

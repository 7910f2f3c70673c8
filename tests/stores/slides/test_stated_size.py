"""What a compressed picture states of its size is read before it is decoded; pictures larger than their tile are refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from dicom_slides import write_slide
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


@pytest.mark.parametrize("data", [b"", b"words", b"\xff", b"\x03" + bytes(63)])
def test_what_begins_like_no_picture_states_nothing(data: bytes) -> None:
    assert stated_size(data) is None


def test_a_jpeg_ls_states_its_size_too() -> None:
    assert stated_size(imagecodecs.jpegls_encode(np.zeros((100, 130), np.uint8))) == (100, 130)


FORGED = {  # what a search for a magic number would find
    "JPEG 2000": b"\xff\x4f\xff\x51" + bytes(4) + b"\0\0\0\x05" * 2 + bytes(8),
    "JPEG XL": b"\xff\x0a\x01" + bytes(20),
}


def in_boxes(magic: bytes, kind: bytes, stream: bytes, *, first: bytes, xl: bool = False) -> bytes:
    """A code stream in a container, behind a free box."""
    head = b"\0\0\0\x0c" + magic + b"\x0d\x0a\x87\x0a" + (8 + len(first)).to_bytes(4, "big") + b"free" + first
    length = b"\0\0\0\1" + kind + (16 + len(stream)).to_bytes(8, "big") if xl else bytes(4) + kind
    return head + length + stream


@pytest.mark.parametrize("xl", [False, True])
@pytest.mark.parametrize("length", [0, 64, 100_000])
def test_the_size_is_that_of_the_code_stream_and_not_of_a_box_in_front_of_it(length: int, xl: bool) -> None:
    pixels = np.zeros((100, 130, 3), np.uint8)
    for magic, kind, name, stream in (
        (b"jP  ", b"jp2c", "JPEG 2000", imagecodecs.jpeg2k_encode(pixels, codecformat="j2k")),
        (b"JXL ", b"jxlc", "JPEG XL", imagecodecs.jpegxl_encode(pixels, usecontainer=False)),
    ):
        whole = in_boxes(magic, kind, stream, first=FORGED[name] + bytes(length), xl=xl)
        assert stated_size(whole) == (100, 130)


def test_a_code_stream_in_several_boxes_is_put_together() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((100, 130, 3), np.uint8), usecontainer=False)
    parts = [stream[:1], b"", stream[1:3], stream[3:]]
    boxes = [(12 + len(p)).to_bytes(4, "big") + b"jxlp" + n.to_bytes(4, "big") + p for n, p in enumerate(parts)]
    whole = b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a" + b"".join(boxes)
    assert stated_size(whole) == (100, 130)


@pytest.mark.parametrize("stray", [b"\x00", b"\x11\x22", b"\xff\xff", b"\xff\x00", b"\x00\xff"])
def test_a_jpeg_with_stray_bytes_between_markers_states_the_size_that_libjpeg_takes(stray: bytes) -> None:
    packed = imagecodecs.jpeg8_encode(np.zeros((100, 130, 3), np.uint8))
    at = 4 + int.from_bytes(packed[4:6], "big")
    whole = packed[:at] + stray + packed[at:]
    assert imagecodecs.jpeg8_decode(whole).shape[:2] == stated_size(whole) == (100, 130)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8", b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda" + b"\xff\xc0\0\x11\x08\0\x05\0\x05" * 3, b"\x89PNG", b"\x89PNG" + bytes(40),
        b"RIFF....WEBPVP8X", b"RIFF....WAVEVP8X" + bytes(20), b"\xff\x4f\xff\x51\0", b"\xff\x0a",
        in_boxes(b"jP  ", b"free", b"", first=FORGED["JPEG 2000"]), in_boxes(b"JXL ", b"free", b"", first=FORGED["JPEG XL"]),
        in_boxes(b"jP  ", b"jp2c", FORGED["JPEG 2000"][1:], first=b""),
    ],
)  # fmt: skip
def test_what_begins_like_a_picture_and_states_no_size_is_refused(data: bytes) -> None:
    with pytest.raises(TileError, match="states no size") as caught:
        stated_size(data)
    assert caught.value.code == "E_MALFORMED"


def test_raw_pixels_that_begin_like_a_picture_are_pixels(tmp_path: Path) -> None:
    """White and a dark colour: the first bytes of a JPEG, and of a JPEG XL of a billion pixels."""
    for number, start in enumerate((b"\xff\xd8\xff\xc0\0\x11\x08\x7f\xff\x7f\xff", b"\xff\x0a" + b"\xff" * 12)):
        pixels = np.full((64, 64, 3), 9, np.uint8)
        pixels.reshape(-1)[: len(start)] = np.frombuffer(start, np.uint8)
        slide = tmp_path / f"{number}.dcm"
        write_slide(slide, [pixels], (64, 64))
        tiff = tmp_path / f"{number}.tif"
        tifffile.imwrite(tiff, pixels, tile=(64, 64), photometric="rgb", metadata=None)
        for path in (slide, tiff):
            with open_slide(path, 0.5) as opened:
                np.testing.assert_array_equal(np.moveaxis(opened.read(Box((0, 0), (64, 64))), 0, -1), pixels)


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

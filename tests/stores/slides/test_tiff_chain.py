"""Directories of a TIFF that overlap or circle are refused before a parser follows them."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tile_engine.errors import SlideError
from tile_engine.stores.slides.outside_mask import check_outside_mask
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.tiff_chain import check_directories


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_files_pass_and_a_circle_does_not(tmp_path: Path, big: bool, order: str) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as tif:
        for _ in range(3):
            tif.write(np.zeros((32, 32), np.uint8), metadata=None)
    check_directories(path)
    with tifffile.TiffFile(path) as tif:
        last, first = tif.pages[2], tif.pages[0].offset
        entry, head = (20, 8) if big else (12, 2)
        after = last.offset + head + len(last.tags) * entry
    with path.open("r+b") as file:
        file.seek(after)
        file.write(struct.pack(f"{order}{'Q' if big else 'I'}", first))
    with pytest.raises(SlideError, match=r"a\.tif.*circle") as caught:
        check_directories(path)
    assert caught.value.code == "E_MALFORMED"


def overlapping(path: Path) -> Path:
    """A file of 64 kB in which a directory of 4000 entries begins at every fourth byte."""
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8) + b"\xa0\x0f" * 32_000)
    for place in range(8, 8_000, 4):
        after = place + 2 + 4000 * 12
        data[after : after + 4] = struct.pack("<I", place + 4)
    path.write_bytes(data)
    return path


def test_overlapping_directories_are_refused_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SlideError, match="overlap"):
        open_slide(overlapping(tmp_path / "a.tif"), 0.5)
    with pytest.raises(SlideError, match="overlap"):
        check_outside_mask(overlapping(tmp_path / "b.tif"), (400, 500))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("data", [b"II", b"II*\0", b"II*\0\x08\0\0\0\xff\xff\0\0\0\0\0\0\0\0", b"x" * 40])
def test_what_ends_early_or_is_no_tiff_is_left_to_the_parser(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(data[:10])
    check_directories(tmp_path / "a.tif")


@pytest.mark.parametrize("keep", [0.1, 0.6, -1])
def test_a_header_that_points_behind_the_end_is_a_file_cut_short(tmp_path: Path, keep: float) -> None:
    """As of scanners that write the directory last; also where the end is within it."""
    pixels, path = np.zeros((64, 64), np.uint8).tobytes(), tmp_path / "a.tif"
    tags = [(256, 64), (257, 64), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 64), (279, len(pixels))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    whole = (
        struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + b"\0" * 4
    )
    path.write_bytes(whole)
    open_slide(path, 0.5).close()
    path.write_bytes(whole[: round(keep * len(whole))] if keep > 0 else whole[:-40])
    with pytest.raises(SlideError, match=r"a\.tif: its header points to byte .* it is cut short") as caught:
        open_slide(path, 0.5)
    assert caught.value.code == "E_TRUNCATED"

"""Headers that lead nowhere: circles, absurd counts and sizes end in a reason, and at once."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tile_engine.errors import SlideError
from tile_engine.stores.slides.reader import open_slide, probe


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def tiff(path: Path, *, width: int = 64, count: int = 0, following: int = 0) -> Path:
    """A grey TIFF of one strip; `count` entries are claimed where it is not 0, `following` is the offset of the next page."""
    entries = [
        entry(256, 4, 1, width),
        entry(257, 4, 1, 64),
        entry(258, 3, 1, 8),
        entry(259, 3, 1, 1),
        entry(262, 3, 1, 1),
        entry(273, 4, 1, 8 + 2 + 12 * 9 + 4),
        entry(277, 3, 1, 1),
        entry(278, 4, 1, 64),
        entry(279, 4, 1, 64 * 64),
    ]
    body = struct.pack("<H", count or len(entries)) + b"".join(entries) + struct.pack("<I", following)
    path.write_bytes(b"II*\0\x08\0\0\0" + body + bytes(range(256)) * 16)
    return path


def test_the_file_of_these_tests_is_sound(tmp_path: Path) -> None:
    with open_slide(tiff(tmp_path / "a.tif"), 0.5) as slide:
        assert slide.read(slide.frames[0].box).shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"following": 8}, ("E_MALFORMED",)),  # the first page again and again
        ({"count": 65535}, ("E_UNREADABLE", "E_MALFORMED", "E_UNSUPPORTED_PIXELS")),
        ({"width": 2**31 - 1}, ("E_MALFORMED", "E_TOO_BIG", "E_UNREADABLE", "E_TRUNCATED", "opened")),
        ({"width": 2**32 - 1}, ("E_MALFORMED",)),
    ],
)
def test_circles_and_absurd_counts_end_at_once(tmp_path: Path, options: dict[str, int], codes: tuple[str, ...]) -> None:
    begun = time.monotonic()
    try:
        with open_slide(tiff(tmp_path / "a.tif", **options), 0.5):
            found = "opened"
    except SlideError as error:
        found = error.code
    assert found in codes and time.monotonic() - begun < 5


def test_a_large_image_without_a_pyramid_is_said_to_cost(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((16, 17000), np.uint8), rowsperstrip=1, metadata=None,
        resolution=(2e4, 2e4), resolutionunit="CENTIMETER",
    )  # fmt: skip
    assert any("there is no pyramid" in note for note in probe(tmp_path / "a.tif").notes)

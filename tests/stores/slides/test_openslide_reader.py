"""The OpenSlide reader: handles that break are replaced, transparent pixels lie over the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.openslide_reader import OpenSlidePixels
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.tiff_cut import check_tiles


@pytest.fixture
def pixels(data: Path) -> OpenSlidePixels:
    return OpenSlidePixels(data / "wsi" / "CMU-1-Small-Region.svs")


class Broken:
    """A handle whose every read fails, as OpenSlide's do after the first failure."""

    reads = 0

    def read_region(self, *_: Any) -> Any:
        type(self).reads += 1
        raise openslide.OpenSlideError("the error state is final")

    def close(self) -> None: ...


def test_a_broken_handle_is_replaced_and_the_read_repeated(pixels: OpenSlidePixels) -> None:
    box = Box((100, 100), (164, 164))
    expected = pixels.read(box, 0)
    pixels._handle = Broken()
    np.testing.assert_array_equal(pixels.read(box, 0), expected)


def test_eight_threads_that_meet_a_broken_handle_replace_it_once(
    pixels: OpenSlidePixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    fresh = pixels._fresh
    monkeypatch.setattr(pixels, "_fresh", lambda: opened.append(1) or fresh())
    broken, barrier, failures = Broken(), threading.Barrier(8), []
    wait = broken.read_region

    def together(*where: Any) -> Any:
        barrier.wait(5)
        return wait(*where)

    monkeypatch.setattr(broken, "read_region", together)
    pixels._handle = broken

    def read() -> None:
        try:
            pixels.read(Box((0, 0), (50, 50)), 0)
        except TileError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and len(opened) == 1


def test_a_read_that_fails_twice_is_a_tile_error_and_the_next_one_works(
    data: Path, pixels: OpenSlidePixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = pixels._fresh
    monkeypatch.setattr(pixels, "_fresh", Broken)
    pixels._handle = Broken()
    with pytest.raises(TileError, match="cannot decode"):
        pixels.read(Box((0, 0), (8, 8)), 0)
    monkeypatch.setattr(pixels, "_fresh", fresh)
    pixels._handle = fresh()
    assert pixels.read(Box((0, 0), (8, 8)), 0).shape == (3, 8, 8)


def test_levels_with_a_fractional_downsample_have_one_value_a_pixel(tmp_path: Path) -> None:
    """However the level is cut into reads."""
    import tifffile

    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(tmp_path / "f.tif") as tif:
        for level, side in enumerate([3001, 1199]):
            kind = {"subfiletype": 1} if level else {}
            pixels = rng.integers(0, 255, (side, side, 3), np.uint8)
            tif.write(pixels, tile=(256, 256), compression="zlib", photometric="rgb", metadata=None, **kind)
    opened = OpenSlidePixels(tmp_path / "f.tif")
    assert opened.described.factors[1][0] == pytest.approx(3001 / 1199)
    whole = opened.read(Box((0, 0), (1199, 1199)), 1)
    for box in Box((900, 1000), (1199, 1199)).cut((77, 101)):
        np.testing.assert_array_equal(opened.read(box, 1), whole[(slice(None), *box.slices)])


def test_tiles_that_no_memory_holds_are_refused_before_one_is_read(pyramid: Any, picture: Any) -> None:
    """OpenSlide would end the process."""
    path = pyramid(picture(64, 64), levels=1, tile=(16, 16), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name in ("TileWidth", "TileLength"):
            tif.pages[0].tags[name].overwrite(65520)
    with pytest.raises(SlideError) as failure:
        OpenSlidePixels(path)
    assert failure.value.code == "E_TOO_BIG"


def write_aperio(path: Path, pixels: Any) -> bytes:
    """A slide of Aperio in JPEG 2000, of two levels whose tables stand before their tiles; returns its bytes."""

    def tiles(level: Any) -> Iterator[bytes]:
        for y in range(0, len(level), 64):
            for x in range(0, level.shape[1], 64):
                tile = np.ascontiguousarray(level[y : y + 64, x : x + 64])
                yield imagecodecs.jpeg2k_encode(tile, level=0, reversible=True, mct=False, codecformat="j2k")

    text = "Aperio Image Library v12.0\r\n256x256 [0,0 256x256] (64x64) J2K/KDU Q=70|AppMag = 20|MPP = 0.5"
    options: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": 33005, "metadata": None}
    with tifffile.TiffWriter(path) as tif:
        for level in (pixels, pixels[::2, ::2]):
            tif.write(tiles(level), shape=level.shape, dtype="uint8", description=text, **options)
    return path.read_bytes()


def test_a_slide_of_aperio_that_is_cut_short_is_said_to_be(tmp_path: Path, picture: Any) -> None:
    """OpenSlide says that it cannot read JPEG 2000, and our own reader that it leaves these colours to OpenSlide."""
    path = tmp_path / "a.svs"
    whole = write_aperio(path, picture(256, 256))
    with open_slide(path) as slide:
        assert slide.reader == "openslide"
    with tifffile.TiffFile(path) as tif:
        starts = tif.pages[1].dataoffsets
    for length, lost in ((starts[2] + 9, 2), (len(whole) - 50, 1)):
        path.write_bytes(whole[:length])
        with pytest.raises(
            SlideError, match=f"a.svs: the file is cut short: it ends before {lost} of its 20 tiles"
        ) as caught:
            open_slide(path)
        assert caught.value.code == "E_TRUNCATED"
    for passing in (whole, b"no TIFF, " * 9):
        path.write_bytes(passing)
        check_tiles(path)

"""A level is a smaller copy of the finest one: by its extent and by what it shows, for every reader alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from damage import emptied, zeroed

from tile_engine.stores.slides.level_check import SomeLevels, recorded_levels, true_levels
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]


def two_pages(path: Path, first: Image, second: Image, **options: Any) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for image in (first, second):
            own = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "photometric": "rgb"}
            tif.write(image, tile=(64, 64), compression="zlib", metadata=None, **own, **options)
    return path


def test_a_page_of_half_the_size_that_shows_something_else_is_no_level(tmp_path: Path, picture: Any) -> None:
    scan = picture(320, 448)
    for i, other in enumerate((np.full((160, 224, 3), (40, 160, 60), np.uint8), scan[::2, ::2][::-1])):
        with open_slide(two_pages(tmp_path / f"{i}.tif", scan, np.ascontiguousarray(other))) as slide:
            assert [f.shape for f in slide.frames] == [(320, 448)]
            assert "224 x 160 pixels does not show what the finest level shows" in slide.notes[-1]


def test_a_declared_level_is_checked_too_and_what_lies_below_it_stays(pyramid: Any, picture: Any) -> None:
    scan = picture(640, 448)
    path = pyramid(scan, compression="zlib", tile=(64, 64), photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        intact = len(tif.series[0].levels)
    assert intact == 3
    with open_slide(path) as slide:
        assert len(slide.frames) == 3 and slide.notes == ()


@pytest.mark.parametrize("damage", [zeroed, emptied])
def test_lost_tiles_say_nothing_about_a_level(pyramid: Any, picture: Any, damage: Any) -> None:
    path = pyramid(picture(512, 512), compression="jpeg", tile=(128, 128), photometric="rgb", levels=2)
    with open_slide(damage(path, range(16))) as slide:
        assert len(slide.frames) == 2 and slide.notes == ()


def test_levels_keep_their_numbers_where_one_between_them_goes(picture: Any) -> None:
    from tile_engine.stores.frame import Box
    from tile_engine.stores.slides.pixels import SlideDescription, level_factor

    scan = picture(256, 256).transpose(2, 0, 1)
    levels = [scan, 255 - scan[:, ::2, ::2], scan[:, ::4, ::4]]
    shapes = tuple(level.shape[1:] for level in levels)

    class Pixels:
        described = SlideDescription(
            "memory", shapes, tuple(level_factor(shapes[0], s) for s in shapes), 3, "uint8", 255, tiles=((64, 64),) * 3
        )

        def read(self, box: Box, level: int) -> Image:
            return levels[level][(slice(None), *box.slices)]

        def absent(self, box: Box, level: int) -> list[Box]:
            return []

        def close(self) -> None: ...

    levels_kept, notes = true_levels(Pixels())
    kept = SomeLevels(Pixels(), levels_kept, notes)
    assert kept.described.shapes == ((256, 256), (64, 64)) and kept.described.factors[1] == (4.0, 4.0)
    np.testing.assert_array_equal(kept.read(Box((0, 0), (64, 64)), 1), levels[2])


def test_a_recorded_check_reads_no_pixels_and_leaves_out_the_same_levels(
    tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tile_engine.stores.slides.tiff_reader import TiffPixels

    scan = picture(320, 448)
    path = two_pages(tmp_path / "s.tif", scan, np.full((160, 224, 3), (40, 160, 60), np.uint8))
    with open_slide(path) as slide:
        assert slide.levels == (0,)
    monkeypatch.setattr(TiffPixels, "read", lambda *_: pytest.fail("pixels were read"))
    with open_slide(path, check=recorded_levels("tiff", slide.levels)) as again:
        assert again.frames == slide.frames
    monkeypatch.undo()
    others = (("openslide", (0, 1), ()), ("tiff", (), ()), ("tiff", (0, 7), ()), ("tiff", (0, 1), (640, 896)))
    for other in others:  # of another reader, file or version
        with open_slide(path, check=recorded_levels(*other)) as checked:
            assert checked.levels == (0,)

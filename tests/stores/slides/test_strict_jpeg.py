"""The decoder of JPEG tiles: the pixels of libjpeg-turbo, and what libjpeg repairs with a warning is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from tile_engine.errors import TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides import tiff_segments
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]


def imagecodecs_decoder(tables: bytes | None, colorspace: int | None, samples: int) -> Any:
    out = 2 if samples == 3 else 1
    return lambda data, memory=None: imagecodecs.jpeg8_decode(
        data, tables=tables, colorspace=colorspace, outcolorspace=out
    )


@pytest.mark.parametrize(
    ("photometric", "options"),
    [
        ("rgb", {}),
        ("ycbcr", {"subsampling": (2, 2)}),
        ("rgb", {"compressionargs": {"level": 60, "outcolorspace": "rgb"}}),
        ("ycbcr", {"tile": None, "rowsperstrip": 64}),
        ("minisblack", {}),
        ("rgb", {"planarconfig": "separate"}),
    ],
)
def test_it_gives_the_pixels_of_imagecodecs(
    pyramid: Any, picture: Any, monkeypatch: pytest.MonkeyPatch, photometric: str, options: Any
) -> None:
    pixels = picture(300, 260)[..., : 1 if photometric == "minisblack" else 3].squeeze()
    pixels = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    path = pyramid(pixels, levels=1, compression="jpeg", photometric=photometric, **options)
    with open_slide(path) as slide:
        strict = slide.read(slide.frames[0].box)
    monkeypatch.setattr(tiff_segments, "strict_decoder", imagecodecs_decoder)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), strict)


def test_tables_of_the_page_and_rgb_without_a_marker_are_put_into_the_stream(data: Path) -> None:
    import openslide

    with open_slide(data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        pixels = slide.read(Box((0, 0), (240, 240)))
    with openslide.OpenSlide(str(data / "wsi" / "CMU-1-Small-Region.svs")) as other:
        expected = np.asarray(other.read_region((0, 0), 0, (240, 240)))[..., :3].transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("layout", "seed"),
    [
        ({"tile": (256, 256)}, 1),
        ({"tile": None, "rowsperstrip": 128}, 1),
        ({"tile": (256, 256), "planarconfig": "separate"}, 2),
    ],
)
def test_a_tile_or_strip_with_changed_bytes_is_lost(
    pyramid: Any, picture: Any, layout: dict[str, Any], seed: int
) -> None:
    pixels = np.moveaxis(picture(256, 512), -1, 0) if "planarconfig" in layout else picture(256, 512)
    path = pyramid(pixels, levels=1, compression="jpeg", photometric="rgb", **layout)
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[1], tif.pages[0].databytecounts[1]
    damaged = bytearray(path.read_bytes())
    draw = np.random.default_rng(seed)
    for at in draw.integers(offset + count // 3, offset + count - 4, 24):
        damaged[at] ^= 0x55
    path.write_bytes(damaged)
    intact, broken = ((0, 0), (256, 256)), ((0, 256), (256, 512))
    if layout["tile"] is None:
        intact, broken = ((0, 0), (128, 512)), ((128, 0), (256, 512))
    with open_slide(path) as slide:
        slide.read(Box(*intact))
        with pytest.raises(TileError, match="Corrupt JPEG data") as failure:
            slide.read(Box(*broken))
    assert failure.value.code == "E_DAMAGED_TILE"


def test_of_sixteen_damaged_tiles_at_least_fourteen_are_noticed_as_openslide_notices_them(
    pyramid: Any, picture: Any
) -> None:
    """Six changed bytes a tile; no intact tile is refused. Bytes that became other valid codes are not noticed by anyone."""
    path = pyramid(picture(1536, 2048), levels=1, compression="jpeg", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        places = list(zip(tif.pages[0].dataoffsets, tif.pages[0].databytecounts, strict=True))
    damaged, draw = bytearray(path.read_bytes()), np.random.default_rng(1)
    for offset, count in places[::3]:
        for _ in range(6):
            damaged[offset + int(draw.integers(count // 3, count - 4))] ^= int(draw.integers(1, 255))
    path.write_bytes(damaged)
    noticed = []
    with open_slide(path) as slide:
        for number in range(len(places)):
            y, x = (256 * n for n in divmod(number, 8))
            try:
                slide.read(Box((y, x), (y + 256, x + 256)))
            except TileError:
                noticed.append(number)
    assert set(noticed) <= set(range(0, 48, 3)) and len(noticed) >= 14

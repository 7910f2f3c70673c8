"""The direct TIFF reader against OpenSlide, against what was written, and against damage."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import Slide, open_slide
from tile_engine.stores.slides.view import read_masked


def oracle(path: Path, box: Box, level: int = 0) -> np.ndarray[Any, Any]:
    """The same pixels from OpenSlide; exact where the level's factor is whole."""
    with openslide.OpenSlide(str(path)) as slide:
        scale = round(slide.level_downsamples[level])
        corner = (box.start[1] * scale, box.start[0] * scale)
        return np.asarray(slide.read_region(corner, level, box.shape[::-1]))[..., :3].transpose(2, 0, 1)


def boxes(shape: tuple[int, int]) -> st.SearchStrategy[Box]:
    """Boxes of at least one pixel inside a level."""

    def span(n: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.tuples(st.integers(0, n - 1), st.integers(1, min(n, 700))).map(lambda t: (t[0], min(t[0] + t[1], n)))

    return st.tuples(*map(span, shape)).map(lambda s: Box((s[0][0], s[1][0]), (s[0][1], s[1][1])))


@pytest.fixture(scope="module")
def aperio(data: Path) -> Path:
    return data / "wsi" / "CMU-1-Small-Region.svs"


@settings(max_examples=25, deadline=None)
@given(drawn=st.data())
def test_an_aperio_slide_reads_bit_identical_to_openslide(aperio: Path, drawn: st.DataObject) -> None:
    with open_slide(aperio) as slide:
        assert slide.reader == "tiff"
        box = drawn.draw(boxes(slide.frames[0].shape))
        np.testing.assert_array_equal(slide.read(box), oracle(aperio, box))


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("tile", [(256, 256), (112, 240)])
def test_jpeg_pyramids_read_bit_identical_to_openslide(
    pyramid: Any, picture: Any, subsampling: tuple[int, int], tile: tuple[int, int]
) -> None:
    path = pyramid(
        picture(900, 612), tile=tile, compression="jpeg", compressionargs={"level": 80}, subsampling=subsampling
    )
    with open_slide(path) as slide:
        assert [f.spacing for f in slide.frames] == [(0.25, 0.25), (0.5, 0.5), (1.0, 1.0)]
        for level, frame in enumerate(slide.frames):
            for box in (frame.box, Box((17, 33), (151, 140))):
                np.testing.assert_array_equal(slide.read(box, level), oracle(path, box, level))


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "jpeg", "photometric": "rgb"},
        {"compression": None},
        {"compression": "deflate", "predictor": True},
        {"compression": "lzw", "predictor": True},
        {"compression": "zstd"},
        {"compression": "packbits"},
        {"compression": "jpeg2000"},
        {"compression": "webp", "compressionargs": {"level": 101}},
        {"compression": "lzw", "tile": None, "rowsperstrip": 7},
        {"compression": None, "tile": None, "rowsperstrip": 900},
        {"compression": "deflate", "planarconfig": "separate"},
        {"compression": None, "planarconfig": "separate", "tile": None},
        {"compression": "deflate", "byteorder": ">"},
    ],
    ids=str,
)
def test_every_packing_gives_back_what_was_written(pyramid: Any, picture: Any, options: dict[str, Any]) -> None:
    """Lossless ones exactly, piece by piece and whole; tifffile's own decoder is the oracle of the lossy ones."""
    pixels = picture(300, 421)
    options = dict(options)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)) if options.get("planarconfig") == "separate" else pixels
    options.setdefault("photometric", "rgb")
    options.pop("byteorder", None)
    path = pyramid(planes, levels=1, **options)
    expected = tifffile.imread(path)
    expected = expected if expected.shape[0] == 3 else expected.transpose(2, 0, 1)
    with open_slide(path) as slide:
        assert slide.reader == "tiff"
        assert (slide.channels, slide.dtype, slide.background) == (3, "uint8", 255)
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), expected)
        for box in slide.frames[0].box.cut((97, 101)):
            np.testing.assert_array_equal(slide.read(box), expected[(slice(None), *box.slices)])
        reader = slide.tile_reader()
        assert (reader is None) == ("tile" in options or options.get("planarconfig") == "separate")
        if reader is not None:
            for row in slide.frames[0].box.cut(reader.group):
                tiles = list(row.cut(reader.tile))
                for tile, values in zip(tiles, reader.decode(tiles), strict=True):
                    np.testing.assert_array_equal(values, expected[(slice(None), *tile.slices)])


def test_grey_of_16_bits_keeps_them(pyramid: Any, picture: Any) -> None:
    pixels = picture(70, 90, 1, "uint16")[..., 0]
    path = pyramid(pixels, levels=1, compression="deflate", photometric="minisblack")
    with open_slide(path) as slide:
        assert (slide.channels, slide.dtype, slide.background) == (1, "uint16", 0)
        np.testing.assert_array_equal(slide.read(slide.frames[0].box)[0], pixels)


@pytest.mark.parametrize(("first", "rest"), [(0x0AFF, 0xFFFE), (0xD8FF, 0xC0FF)], ids=["JPEG XL", "JPEG"])
def test_a_tile_that_begins_as_a_picture_does_by_chance_is_read(pyramid: Any, first: int, rest: int) -> None:
    pixels = np.full((300, 280), rest, np.uint16)
    pixels[0, 0] = first
    path = pyramid(pixels, levels=1, photometric="minisblack")  # little endian, as the machine
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box)[0], pixels)


def test_white_stored_as_zero_is_turned_round(pyramid: Any, picture: Any) -> None:
    pixels = picture(70, 90, 1)[..., 0]
    path = pyramid(pixels, levels=1, photometric="miniswhite")
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box)[0], 255 - pixels)
        assert "white" in slide.notes[-1]


def test_bilevel_is_grey_of_two_values(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((50, 60)) > 0.5
    tifffile.imwrite(tmp_path / "b.tif", pixels, photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "b.tif", 0.5) as slide:
        assert slide.dtype == "uint8"
        np.testing.assert_array_equal(slide.read(slide.frames[0].box)[0], pixels * 255)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[:2, :, 3], pixels[2:, :, 3] = 255, 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    with open_slide(tmp_path / "a.tif", 0.5) as slide:
        read = slide.read(slide.frames[0].box)
    assert read[:, 0, 0].tolist() == [200, 0, 0]
    assert read[:, 3, 3].tolist() == [255, 255, 255]


def test_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    table = np.zeros((3, 256), np.uint16)
    table[:, 1] = 65535, 32768, 0
    tifffile.imwrite(
        tmp_path / "p.tif", np.ones((4, 4), np.uint8), photometric="palette", colormap=table, metadata=None
    )
    with open_slide(tmp_path / "p.tif", 0.5) as slide:
        assert slide.read(slide.frames[0].box)[:, 0, 0].tolist() == [255, 128, 0]
    inks = np.full((4, 4, 4), (255, 0, 51, 0), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", inks, photometric="separated", metadata=None)
    with open_slide(tmp_path / "c.tif", 0.5) as slide:
        assert slide.read(slide.frames[0].box)[:, 0, 0].tolist() == [0, 255, 204]


def test_ome_tiff_reads_all_channels_of_its_subifd_pyramid(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 60000, (2, 128, 160), np.uint16)
    unit = {"PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 325, "PhysicalSizeYUnit": "nm"}
    with tifffile.TiffWriter(tmp_path / "f.ome.tif") as tif:
        options: dict[str, Any] = {"tile": (64, 64), "compression": "zlib", "photometric": "minisblack"}
        tif.write(pixels, subifds=1, metadata={"axes": "CYX", **unit}, **options)
        tif.write(pixels[:, ::2, ::2], subfiletype=1, **options)
    with open_slide(tmp_path / "f.ome.tif") as slide:
        assert slide.spacing_source == "file"
        assert [f.spacing for f in slide.frames] == [(0.325, 0.325), (0.65, 0.65)]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)
        np.testing.assert_array_equal(slide.read(slide.frames[1].box, 1), pixels[:, ::2, ::2])


def test_the_middle_focus_plane_is_read_and_said(data: Path) -> None:
    with open_slide(data / "wsi" / "qupath-cells" / "cells-2z.ome.tif") as slide:
        assert any("focus planes" in note for note in slide.notes)


def test_labels_and_macros_are_no_levels(aperio: Path) -> None:
    with open_slide(aperio) as slide:
        assert len(slide.frames) == 1
        assert any("not read" in note for note in slide.notes)


def tile_of(path: Path, index: int, level: int = 0) -> tuple[int, int]:
    with tifffile.TiffFile(path) as tif:
        page = tif.series[0].levels[level].keyframe
        return page.dataoffsets[index], page.databytecounts[index]


def patched(path: Path, target: Path, at: int, data: bytes) -> Path:
    shutil.copyfile(path, target)
    target.chmod(0o600)
    with target.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return target


def test_a_damaged_tile_costs_that_tile_and_no_more(aperio: Path, tmp_path: Path) -> None:
    """Broken beyond decoding: masked to the tile's own borders; its neighbours are as they were."""
    offset, _ = tile_of(aperio, 11)
    path = patched(aperio, tmp_path / "bad.svs", offset, b"\0" * 64)
    with open_slide(path) as slide, open_slide(aperio) as whole:
        box = Box((200, 100), (700, 800))
        with pytest.raises(TileError) as failure:
            slide.read(box)
        assert "tile 11" in failure.value.message
        pixels, masked = read_masked(slide, box)
        assert masked == [Box((240, 240), (480, 480))]
        expected = whole.read(box).copy()
        expected[:, 40:280, 140:380] = 255
        np.testing.assert_array_equal(pixels, expected)


def test_a_jpeg_that_stops_early_is_an_error_and_never_grey(aperio: Path, tmp_path: Path) -> None:
    offset, count = tile_of(aperio, 11)
    path = patched(aperio, tmp_path / "bad.svs", offset + count // 2, b"\0" * (count - count // 2))
    with open_slide(path) as slide:
        _, masked = read_masked(slide, slide.frames[0].box)
        assert masked == [Box((240, 240), (480, 480))]


def test_a_slide_cut_short_masks_what_is_gone(pyramid: Any, picture: Any) -> None:
    path = pyramid(picture(1024, 1024), levels=1, compression="jpeg")
    intact = open_slide(path).read(Box((0, 0), (1024, 1024)))
    data, (last, _) = path.read_bytes(), tile_of(path, 12)
    assert int.from_bytes(data[4:8], "little") < last, "tifffile writes the directory first"
    path.write_bytes(data[: last + 10])
    with open_slide(path) as slide:
        pixels, masked = read_masked(slide, slide.frames[0].box)
        assert (slide.cut[0].lost, slide.cut[0].tiles, slide.cut[0].share) == (4, 16, 0.25)
        assert "it ends before 4 of 16 tiles of level 0" in slide.notes[-1]
    assert masked == [Box((768, x), (1024, x + 256)) for x in (0, 256, 512, 768)]
    np.testing.assert_array_equal(pixels[:, :768], intact[:, :768])
    assert (pixels[:, 768:] == 255).all()


def test_a_tile_that_was_never_scanned_is_background(pyramid: Any, picture: Any) -> None:
    path = pyramid(picture(600, 600), levels=1, compression="jpeg")
    intact = open_slide(path).read(Box((0, 0), (600, 600)))
    with tifffile.TiffFile(path, mode="r+b") as tif:
        counts = list(tif.pages[0].databytecounts)
        counts[4] = 0
        tif.pages[0].tags["TileByteCounts"].overwrite(counts)
    with open_slide(path) as slide:
        pixels = slide.read(slide.frames[0].box)
    assert (pixels[:, 256:512, 256:512] == 255).all()
    np.testing.assert_array_equal(pixels[:, :256], intact[:, :256])
    np.testing.assert_array_equal(pixels, oracle_over_white(path))


@pytest.mark.parametrize("what", ["StripOffsets", "StripByteCounts"])
def test_a_single_strip_that_was_never_written_is_background(tmp_path: Path, picture: Any, what: str) -> None:
    path = tmp_path / "strip.tif"
    tifffile.imwrite(path, picture(300, 200), photometric="rgb", metadata=None, rowsperstrip=300)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        assert len(tif.pages[0].dataoffsets) == 1
        tif.pages[0].tags[what].overwrite(0)
    with open_slide(path, 0.5) as slide:
        assert (slide.read(slide.frames[0].box) == 255).all()
        assert slide.absent(slide.frames[0].box) == [slide.frames[0].box]


def test_strips_that_lie_apart_or_in_another_order_are_read_from_where_they_are(tmp_path: Path, picture: Any) -> None:
    path, scan = tmp_path / "strips.tif", picture(96, 200)
    tifffile.imwrite(path, scan, photometric="rgb", metadata=None, rowsperstrip=32)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        offsets = list(tif.pages[0].dataoffsets)
        tif.pages[0].tags["StripOffsets"].overwrite([offsets[i] for i in (0, 2, 1)])
    expected = np.concatenate([scan[:32], scan[64:], scan[32:64]])
    with open_slide(path, 0.5) as slide:
        np.testing.assert_array_equal(np.moveaxis(slide.read(slide.frames[0].box), 0, -1), expected)


def oracle_over_white(path: Path) -> np.ndarray[Any, Any]:
    with openslide.OpenSlide(str(path)) as slide:
        rgba = np.asarray(slide.read_region((0, 0), 0, slide.dimensions)).copy()
    rgba[rgba[..., 3] == 0] = 255
    return rgba[..., :3].transpose(2, 0, 1)


def test_a_jpeg_that_claims_to_be_huge_is_not_decoded(aperio: Path, tmp_path: Path) -> None:
    offset, count = tile_of(aperio, 0)
    with aperio.open("rb") as file:
        file.seek(offset)
        stream = file.read(count)
    at = stream.index(b"\xff\xc0") + 5
    path = patched(aperio, tmp_path / "bomb.svs", offset + at, (65000).to_bytes(2, "big") * 2)
    with open_slide(path) as slide, pytest.raises(TileError, match="65000"):
        slide.read(Box((0, 0), (10, 10)))


@pytest.mark.parametrize("keep", [8, 100, 5000])
def test_a_file_cut_inside_its_header_is_refused(pyramid: Any, picture: Any, tmp_path: Path, keep: int) -> None:
    whole = pyramid(picture(600, 600), compression="jpeg").read_bytes()
    path = tmp_path / "cut.tif"
    path.write_bytes(whole[:keep])
    with pytest.raises(SlideError) as failure, open_slide(path) as slide:
        slide.read(slide.frames[0].box)
    assert failure.value.code in ("E_UNREADABLE", "E_TRUNCATED", "E_MALFORMED")


@settings(max_examples=60, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_header_bytes_end_in_pixels_or_in_a_reason(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    """No other exception gets out, whatever the directory claims."""
    global _TEMPLATE
    folder = tmp_path_factory.getbasetemp()
    if _TEMPLATE is None:
        rng = np.random.default_rng(0)
        tifffile.imwrite(
            folder / "t.tif", rng.integers(0, 255, (64, 64, 3), np.uint8), tile=(16, 16), compression="zlib"
        )
        _TEMPLATE = (folder / "t.tif").read_bytes()
    damaged = bytearray(_TEMPLATE)
    for at, value in flips:
        damaged[at % 600] = value
    (folder / "flipped.tif").write_bytes(damaged)
    try:
        with open_slide(folder / "flipped.tif", 0.5) as slide:
            if slide.frames[0].box.size < 2**22:
                slide.read(slide.frames[0].box)
    except SlideError as error:
        assert error.code.startswith("E_")


_TEMPLATE: bytes | None = None


def test_four_threads_read_what_one_reads(aperio: Path) -> None:
    with open_slide(aperio) as slide:
        pieces = list(slide.frames[0].box.cut((500, 500)))
        alone = [slide.read(box) for box in pieces]
        with ThreadPoolExecutor(4) as pool:
            for one, other in zip(alone, pool.map(slide.read, pieces), strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint32"])
def test_pixels_that_models_cannot_take_are_refused_with_their_type(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((20, 20), dtype), metadata=None)
    with pytest.raises(SlideError, match=dtype) as failure:
        open_slide(tmp_path / "f.tif", 0.5)
    assert failure.value.code == "E_UNSUPPORTED_PIXELS"


def test_a_level_whose_sides_are_rounded_keeps_the_whole_factor(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "r.tif") as tif:
        for level, shape in enumerate([(1001, 703), (250, 175), (62, 43)]):
            kind = {"subfiletype": 1} if level else {}
            tif.write(np.zeros((*shape, 3), np.uint8), tile=(64, 64), metadata=None, photometric="rgb", **kind)
    with open_slide(tmp_path / "r.tif", 0.3) as slide:
        assert isinstance(slide, Slide)
        assert [f.spacing for f in slide.frames] == [(0.3, 0.3), (1.2, 1.2), (4.8, 4.8)]

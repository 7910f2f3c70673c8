"""One contract for every Source: shapes, types, boxes, and the same pixels for any tiling and any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tile_engine.stores.frame import Box
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.slides.openslide_reader import OpenSlidePixels
from tile_engine.stores.slides.reader import Slide, _frames, open_slide
from tile_engine.stores.slides.view import at_spacing
from tile_engine.stores.source import Source
from tile_engine.stores.tile_reader import Tiled

Make = Callable[[Path, Path], Source]


def _memory(data: Path, tmp: Path) -> Source:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 301, 203), np.uint8)
    return MemorySource(pixels, pixels[:, ::2, ::2])


def _openslide(data: Path, tmp: Path) -> Source:
    pixels = OpenSlidePixels(data / "wsi" / "CMU-1-Small-Region.svs")
    return Slide(pixels, _frames(pixels.described, (0.5, 0.5)), "file")


def _ome_zarr(data: Path, tmp: Path) -> Source:
    import zarr

    group = zarr.create_group(tmp / "s.zarr", zarr_format=3)
    array = group.create_array("0", shape=(2, 131, 93), dtype="uint16", chunks=(1, 64, 64))
    array[...] = np.random.default_rng(0).integers(0, 65535, (2, 131, 93), np.uint16)
    axes = [{"name": "c", "type": "channel"}] + [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return open_slide(tmp / "s.zarr")


SOURCES: dict[str, Make] = {
    "memory": _memory,
    "tiff, jpeg": lambda data, _: open_slide(data / "wsi" / "CMU-1-Small-Region.svs"),
    "tiff, webp": lambda data, _: open_slide(data / "wsi" / "wsic" / "CMU-1-Small-Region.webp.tiff", 0.499),
    "tiff, deflate, four levels": lambda data, _: open_slide(data / "wsi" / "openslide-python" / "boxes.tiff", 0.5),
    "tiff, strips": lambda data, _: open_slide(data / "wsi" / "qupath-cells" / "cells-2c.ome.tif"),
    "tiff, 16 bits": lambda data, _: open_slide(data / "wsi" / "qupath-cells" / "cells-gray16.tif"),
    "openslide": _openslide,
    "openslide, dicom": lambda data, _: open_slide(data / "wsi" / "highdicom" / "sm_image.dcm"),
    "picture": lambda data, _: open_slide(data / "wsi" / "qupath-cells" / "cells.png", 0.5),
    "ome-zarr": _ome_zarr,
    "view, by 2": lambda data, _: at_spacing(open_slide(data / "wsi" / "CMU-1-Small-Region.svs"), 1.0),
    "view, by 2.4": lambda data, _: at_spacing(open_slide(data / "wsi" / "CMU-1-Small-Region.svs"), 1.2),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, data: Path, tmp_path: Path) -> Iterator[Source]:
    made = SOURCES[request.param](data, tmp_path)
    yield made
    if hasattr(made, "close"):
        made.close()


def cut(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(n // 3 + 1, 1) for n in shape)


def test_frames_run_from_fine_to_coarse_in_two_axes(source: Source) -> None:
    spacings = [frame.spacing for frame in source.frames]
    assert spacings == sorted(spacings)
    assert all(frame.axes == ("y", "x") for frame in source.frames)


def test_a_read_has_the_stated_channels_type_and_shape(source: Source) -> None:
    for level, frame in enumerate(source.frames):
        for box in (Box((0, 0), (1, 1)), Box(tuple(n - 1 for n in frame.shape), frame.shape)):
            pixels = source.read(box, level)
            assert pixels.shape == (source.channels, 1, 1) and pixels.dtype == source.dtype
    assert 0 <= source.background <= np.iinfo(source.dtype).max


def test_an_empty_box_reads_nothing(source: Source) -> None:
    assert source.read(Box((1, 1), (1, 3))).shape == (source.channels, 0, 2)


def test_any_tiling_gives_the_pixels_of_the_whole(source: Source) -> None:
    for level, frame in enumerate(source.frames):
        whole = source.read(frame.box, level)
        for box in frame.box.cut(cut(frame.shape)):
            np.testing.assert_array_equal(source.read(box, level), whole[(slice(None), *box.slices)])


def test_tiles_that_are_decoded_one_by_one_are_those_of_the_whole(source: Source) -> None:
    for level, frame in enumerate(source.frames):
        reader = source.tile_reader(level) if isinstance(source, Tiled) else None
        if reader is None:
            continue
        whole = source.read(frame.box, level)
        assert reader.tile == source.tiles[level]
        for group in frame.box.cut(reader.group):
            tiles = list(group.cut(reader.tile))
            for tile, pixels in zip(tiles, reader.decode(tiles), strict=True):
                np.testing.assert_array_equal(pixels, whole[(slice(None), *tile.slices)])
        assert list(reader.decode([])) == []


def test_four_threads_read_what_one_reads(source: Source) -> None:
    frame = source.frames[0]
    whole = source.read(frame.box)
    pieces = list(frame.box.cut(cut(frame.shape))) * 2
    with ThreadPoolExecutor(4) as pool:
        for box, pixels in zip(pieces, pool.map(source.read, pieces), strict=True):
            np.testing.assert_array_equal(pixels, whole[(slice(None), *box.slices)])


def test_what_is_read_belongs_to_the_reader_of_it(source: Source) -> None:
    """Writing into one read does not show in the next."""
    box = Box((0, 0), (4, 4))
    first = source.read(box)
    kept = first.copy()
    if first.flags.writeable:
        first[...] = 1
    np.testing.assert_array_equal(source.read(box), kept)


def test_a_box_outside_the_frame_is_refused(source: Source) -> None:
    with pytest.raises(ValueError, match="inside"):
        source.read(Box((0, 0), tuple(n + 1 for n in source.frames[0].shape)))

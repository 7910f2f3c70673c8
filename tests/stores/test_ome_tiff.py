"""OME-TIFF: pages, levels and names as tifffile, which did not see the image, reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.stores.array import StoredArray
from tile_engine.stores.downsample import halve
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage, pyramid
from tile_engine.stores.ome_tiff import TILE, write_ome_tiff


@pytest.mark.parametrize(
    ("channels", "dtype", "axes"), [(3, "uint8", "YXS"), (9, "uint8", "CYX"), (3, "uint16", "CYX"), (1, "uint16", "YX")]
)
def test_every_level_and_channel_is_there_by_name(tmp_path: Path, channels: int, dtype: str, axes: str) -> None:
    frames = pyramid(Frame(("y", "x"), (700, 530), (0.5, 0.25)), longest=200)
    draw = np.random.default_rng(0)
    levels = [draw.integers(0, 255, (channels, *frames[0].shape)).astype(dtype)]
    image = StoredImage.create(tmp_path / "a", ImageSpec(frames, channels, dtype, (256, 256), (64, 64)))
    for level, frame in enumerate(frames):
        levels += [halve(levels[-1])] if level else []
        for box in frame.box.cut(image.shard(level)):
            image.write(level, box, levels[level][(slice(None), *box.slices)])
    names = [f"stain {n}" for n in range(channels)]
    write_ome_tiff(tmp_path / "a.ome.tif", image, name="block", key="k", channels=names)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        series, text = tiff.series[0], tiff.ome_metadata or ""
        assert series.axes == axes and len(series.levels) == len(frames) == 3
        for found, values in zip(series.levels, levels, strict=True):
            expected = np.moveaxis(values, 0, -1) if axes == "YXS" else values if channels > 1 else values[0]
            np.testing.assert_array_equal(found.asarray(), expected)
        assert 'PhysicalSizeX="0.25"' in text and 'PhysicalSizeY="0.5"' in text
        assert ('Name="stain 0"' in text) == (axes != "YXS")
        assert series.levels[1].keyframe.tilewidth == 256


@pytest.mark.parametrize(("channels", "dtype"), [(4, "uint16"), (3, "uint8"), (None, "uint8")])
def test_one_row_of_tiles_of_a_page_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int | None, dtype: str
) -> None:
    frames = (Frame(("y", "x"), (600, 300), (0.5, 0.25)), Frame(("y", "x"), (300, 150), (1.0, 0.5)))
    image = StoredImage.create(tmp_path / "image", ImageSpec(frames, channels, dtype, (1024, 1024), (128, 128)))
    values = []
    for level, frame in enumerate(frames):
        lead = () if channels is None else (channels,)
        values.append(np.random.default_rng(level).integers(0, 255, (*lead, *frame.shape)).astype(dtype))
        image.write(level, frame.box, values[-1])
    sizes, read = list[int](), StoredArray.read

    def watched(self: StoredArray, box: Box) -> Any:
        sizes.append(box.size)
        return read(self, box)

    monkeypatch.setattr(StoredArray, "read", watched)
    write_ome_tiff(tmp_path / "a.ome.tif", image, name="a", key="k")
    colours = 3 if dtype == "uint8" and channels == 3 else 1
    assert max(sizes) == TILE * 300 * colours
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        for level, pixels in zip(tiff.series[0].levels, values, strict=True):
            np.testing.assert_array_equal(level.asarray(), np.moveaxis(pixels, 0, -1) if colours == 3 else pixels)

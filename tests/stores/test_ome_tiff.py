"""OME-TIFF: pages of single channels and their pyramid, and what is in memory while they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.stores.array import StoredArray
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.ome_tiff import TILE, write_ome_tiff


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

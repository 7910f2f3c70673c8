"""Windows: values that are in use, by channel, whatever a few pixels hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.ngff import omero
from tile_engine.stores.windows import windows_in_use


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float16"])
def test_the_windows_leave_out_what_a_few_pixels_hold(tmp_path: Path, dtype: str) -> None:
    frame = Frame(("y", "x"), (400, 300), (1.0, 1.0))
    values = np.stack([np.linspace(100, 900, 120_000), np.full(120_000, 7)]).reshape(2, 400, 300).astype(dtype)
    values[0, 200, 150] = 30_000
    image = StoredImage.create(tmp_path / "a", ImageSpec((frame,), 2, dtype, (128, 128), (64, 64)))
    for box in frame.box.cut((128, 128)):
        image.write(0, box, values[(slice(None), *box.slices)])
    (low, high), constant = windows_in_use(image)
    assert low == pytest.approx(100, abs=2) and high == pytest.approx(900, abs=2)
    assert constant == (7, 8)


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"), [("int16", -32768, 32767), ("float32", 5, 9), ("uint8", 0, 255)]
)
def test_a_slider_reaches_over_the_type_or_what_is_in_use(dtype: str, lowest: float, highest: float) -> None:
    (channel,) = omero(1, dtype, windows=[(5, 9)])["channels"]
    assert channel["window"] == {"min": lowest, "max": highest, "start": 5, "end": 9}


def test_of_many_channels_three_are_shown() -> None:
    assert sum(channel["active"] for channel in omero(128, "float16", windows=[(0, 1)] * 128)["channels"]) == 3

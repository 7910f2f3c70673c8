"""Look: a tile that ends its reader costs the check of levels a window, and not the slide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.engine.images.look import look_at_slides


def write_pyramid(path: Path) -> None:
    """Two levels in tiles of 128 pixels: the middle tile of the finest lies under the middle window of the check."""
    y, x = np.mgrid[:384, :384]
    scan = np.stack([y // 2, x // 2, (y + x) // 4], -1).astype(np.uint8)
    with tifffile.TiffWriter(path) as tif:
        for level in (scan, scan[::2, ::2]):
            tif.write(level, photometric="rgb", tile=(128, 128), metadata=None, resolution=(2e4, 2e4), resolutionunit=3)


def test_a_slide_with_a_crashing_tile_under_a_window_of_the_check_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Callable[..., dict[str, str]]
) -> None:
    for name in ("a.tif", "b.tif"):
        write_pyramid(tmp_path / name)
    items: list[Any] = [[str(tmp_path / name), None, ""] for name in ("a.tif", "b.tif")]
    for name, value in planted("b.tif", "crash", tile=4).items():
        monkeypatch.setenv(name, value)
    whole, broken = look_at_slides(items)
    assert whole["levels"] == broken["levels"] == [0, 1]
    assert whole["frames"] == broken["frames"] and whole["notes"] == broken["notes"] == []


def test_a_slide_whose_opening_crashes_has_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Callable[..., dict[str, str]]
) -> None:
    write_pyramid(tmp_path / "b.tif")
    for name, value in planted("b.tif", "open").items():
        monkeypatch.setenv(name, value)
    (answer,) = look_at_slides([[str(tmp_path / "b.tif"), None, ""]])
    assert answer.code == "E_CRASHES_READER"

"""Slides made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

Pyramid = Callable[..., Path]


def _picture(height: int, width: int, channels: int = 3, dtype: str = "uint8") -> np.ndarray[Any, Any]:
    """A smooth picture with some noise, (y, x, channel), the same every time."""
    y, x = np.mgrid[:height, :width] / 40.0
    waves = np.stack([np.sin(y + c) * np.cos(x * (1 + c / 3)) for c in range(channels)], -1)
    noise = np.random.default_rng(7).normal(0, 0.05, waves.shape)
    top = np.iinfo(dtype).max
    return ((waves + noise + 1.2) / 2.4 * top).clip(0, top).astype(dtype)


@pytest.fixture
def pyramid(tmp_path: Path) -> Pyramid:
    """Writes a tiled pyramid of a picture (y, x, channel), halved `levels - 1` times, at 0.25 um."""

    def write(pixels: np.ndarray[Any, Any], name: str = "slide.tif", *, levels: int = 3, **options: Any) -> Path:
        path = tmp_path / name
        settings = {"tile": (256, 256), "resolution": (40000, 40000), "resolutionunit": "CENTIMETER"} | options
        with tifffile.TiffWriter(path, bigtiff=False) as tif:
            for level in range(levels):
                kind = {"subfiletype": 1} if level else {}
                tif.write(pixels[:: 2**level, :: 2**level], metadata=None, **settings, **kind)
        return path

    return write


@pytest.fixture
def picture() -> Callable[..., np.ndarray[Any, Any]]:
    """Makes a picture of a size: `picture(height, width, channels, dtype)`."""
    return _picture

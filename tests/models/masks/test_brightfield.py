"""Brightfield of any bit depth and fluorescence of any number of channels: the same section has the same tissue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tile_engine.models.masks.brightfield import as_brightfield, bright_tissue
from tile_engine.models.masks.tissue import tissue_mask

Image = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def section() -> tuple[Image, Image]:
    """A grainy disc on glass at 8 um, uint8 (3, y, x); and the disc."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:240, :320]
    disc = (y - 120) ** 2 + (x - 160) ** 2 < 80**2
    image = np.full((3, 240, 320), 243.0) + draw.normal(0, 1, (3, 240, 320))
    image[:, disc] = np.array((170, 110, 160))[:, None] + draw.normal(0, 8, (3, disc.sum()))
    return image.clip(0, 255).astype(np.uint8), disc


def overlap(mask: Image, truth: Image) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("factor", "dtype"), [(1, np.uint8), (4, np.uint16), (16, np.uint16), (257, np.uint16)])
def test_rgb_of_every_bit_depth_has_its_tissue(
    section: tuple[Image, Image], said: bool, factor: int, dtype: type
) -> None:
    pixels, disc = section
    image = pixels.astype(dtype) * dtype(factor)
    image[:, -20:, -20:] = np.iinfo(dtype).max if said else image[:, -20:, -20:]  # what was not scanned
    colours = as_brightfield(image, said=said)
    assert colours is not None and colours.dtype == np.uint8
    assert overlap(tissue_mask(colours, 8.0, brightfield=True), disc) > 0.95
    if dtype == np.uint8:
        assert colours is image, "8 bits stay as they are"


@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, np.uint16), (2, np.uint8), (3, np.uint8), (3, np.uint16), (4, np.uint16)]
)
def test_fluorescence_has_its_tissue_whatever_its_channels(
    section: tuple[Image, Image], channels: int, dtype: type
) -> None:
    pixels, disc = section
    image = np.stack([(255.0 - pixels[i % 3]) * np.iinfo(dtype).max / 600 for i in range(channels)]).astype(dtype)
    assert as_brightfield(image, said=False) is None
    bright = bright_tissue(image, said=False)
    assert bright is image
    assert overlap(tissue_mask(bright, 8.0, brightfield=False), disc) > 0.9


@pytest.mark.parametrize("said", [True, False])
def test_one_grey_channel_of_brightfield_is_turned_round(section: tuple[Image, Image], said: bool) -> None:
    pixels, disc = section
    grey = pixels.mean(0, keepdims=True).astype(np.uint8)
    assert overlap(tissue_mask(bright_tissue(grey, said=said), 8.0, brightfield=False), disc) > 0.9

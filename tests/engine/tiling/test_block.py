"""Block: the same pixels, and the same ones lost, whoever reads the bands and in whatever order they come."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from tile_engine.engine.tiling.block import Block
from tile_engine.engine.tiling.samplers import grid
from tile_engine.engine.tiling.tile import Tiles
from tile_engine.stores.frame import Box
from tile_engine.stores.memory import MemorySource


@pytest.mark.parametrize("readers", [1, 4])
def test_bands_may_be_read_side_by_side(readers: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 2100, 64), np.uint8)
    source = MemorySource(pixels, broken=(Box((700, 0), (720, 64)),))
    tiles = Tiles.of(grid(Box((0, 0), (2048, 64)), (64, 64), (16, 16)))
    with Block(source, Box((-16, -16), (2080, 80)), 0, nullcontext, readers) as block:
        sound = block.sound(tiles)
        found = block.cut(tiles)
    padded = np.pad(pixels, ((0, 0), (16, 16), (16, 16)), constant_values=255)
    for tile, (top, left) in zip(found[sound], tiles.starts[sound] + 16, strict=True):
        np.testing.assert_array_equal(tile, padded[:, top : top + 96, left : left + 96])
    lost = (tiles.starts[:, 0] < 720) & (tiles.stops[:, 0] > 700)
    assert not sound[lost].any() and sound.any()
